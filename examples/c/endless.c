/* Endless music, printed as it falls due. */
#include <midinfinite/midinfinite.h>
#include <stdio.h>
#include <stdlib.h>
#include <threads.h>
#include <time.h>
static int failed(const char* what) {
  fprintf(stderr, "endless: %s: %s\n", what, midinf_last_error());
  return 1;
}

static double seconds_now(void) {
  struct timespec t;
  timespec_get(&t, TIME_UTC);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

int main(int argc, char** argv) {
  if (argc < 2) return fprintf(stderr, "usage: endless MODEL.gguf [SECONDS]\n"), 2;
  const double seconds = argc > 2 ? atof(argv[2]) : 1e9;
  midinf_model* model = NULL;
  midinf_stream* stream = NULL;
  if (midinf_model_load_file(argv[1], NULL, &model) != MIDINF_STATUS_OK) return failed("load");
  if (midinf_stream_create(model, NULL, &stream) != MIDINF_STATUS_OK) return failed("create");
  if (midinf_stream_start(stream) != MIDINF_STATUS_OK) return failed("start");
  double begin = seconds_now(), reached = 0;
  for (; reached < seconds; thrd_sleep(&(struct timespec){.tv_nsec = 5000000}, NULL)) {
    const double due = seconds_now() - begin;
    midinf_note notes[64]; /* what does not fit comes 5 ms later */
    size_t count = 0;
    if (midinf_stream_pull(stream, due, notes, 64, &count, &reached) != MIDINF_STATUS_OK) return failed("pull");
    for (size_t i = 0; i < count; ++i)
      printf("%8.2f s  key %3d  for %.2f s  %s\n", (double)notes[i].onset / 100, notes[i].pitch,
             notes[i].duration / 100.0, midinf_instrument_name(notes[i].instrument));
    fflush(stdout);
    if (reached < due - 0.1) begin += due - reached; /* the music was not ready: what follows waits with it */
  }
  midinf_stream_free(stream);
  midinf_model_free(model);
}
