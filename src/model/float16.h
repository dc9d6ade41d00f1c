// Moved to base/float16.h, since kernels need it too; this forwarding file goes away.
#pragma once
#include "base/float16.h"
