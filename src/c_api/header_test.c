/* The header is C11: this file does not build otherwise. */
#include "midinfinite/midinfinite.h"

const char* midinf_test_version_in_c(void);
midinf_status midinf_test_defaults_in_c(void);

const char* midinf_test_version_in_c(void) {
  return midinf_version();
}

midinf_status midinf_test_defaults_in_c(void) {
  midinf_settings settings;
  midinf_model_params params;
  midinf_settings_init(&settings);
  midinf_model_params_init(&params);
  params.struct_size = 0;
  midinf_model* model = NULL;
  return settings.struct_size == sizeof settings ? midinf_model_load_file("nowhere", &params, &model)
                                                 : MIDINF_STATUS_INTERNAL;
}
