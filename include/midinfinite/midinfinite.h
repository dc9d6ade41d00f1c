/** \file
 * midinfinite: endless multi-instrument MIDI, generated on the listener's own machine.
 *
 * The one public interface; C11 and C++. Everything is done with four kinds of objects:
 *
 * - midinf_model: a network loaded from a GGUF file, immutable, shared by everything made from it;
 * - midinf_stream: music that plays for ever, a few seconds ahead of a listener, and obeys at once;
 * - midinf_player: the audio side of a stream, MIDI messages at sample offsets for an audio callback;
 * - midinf_generator: one event after the other, for programs that keep time themselves.
 *
 * Conventions:
 *
 * - Objects: NOUN_create or _load makes one, NOUN_free takes it back; NULL may be freed. An object keeps what it was
 *   made from alive: a model may be freed while its streams live.
 * - Structs that have one begin with struct_size: set it to sizeof. midinf_STRUCT_init fills in the size and the
 *   defaults; later versions add fields at the end, so that a program built against an older header goes on working. In
 *   an array all have the same size.
 * - Errors: every function that can fail returns a midinf_status; midinf_last_error() says in one line what, where and
 *   what to do. A function that fails has changed nothing and writes no result.
 * - Arrays out are (capacity, *count): at most `capacity` elements are written, `*count` is how many there are. With
 *   capacity 0 the array may be NULL: ask first, then allocate.
 * - Text is UTF-8, ends with 0, and belongs to the library unless said otherwise.
 * - Time is in steps of 10 ms (`ticks`) of music since the stream began, or seconds where the name says so.
 * - Threads: each function carries a tag. [any] from any thread. [main] not while another call with the same object
 *   runs. [worker] as [main], and it computes: it takes milliseconds to seconds. [audio] takes no lock, allocates
 *   nothing, makes no system call: for the audio callback, one thread at a time.
 * - Handles: NULL where an object is needed is MIDINF_STATUS_INVALID_ARGUMENT, never a crash; a function without a
 *   status then does nothing.
 * - Callbacks must not throw, and must not call back into the object that calls them.
 */
#ifndef MIDINFINITE_MIDINFINITE_H
#define MIDINFINITE_MIDINFINITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** \def MIDINF_API
 * Marks what the library exports. Programs that link the static library on Windows define MIDINF_STATIC. */
#if defined(_WIN32) && defined(MIDINF_BUILD)
#define MIDINF_API __declspec(dllexport)
#elif defined(_WIN32) && !defined(MIDINF_STATIC)
#define MIDINF_API __declspec(dllimport)
#elif defined(__GNUC__)
#define MIDINF_API __attribute__((visibility("default")))
#else
#define MIDINF_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ------------------------------------------------------------------------------------------------- errors, version */

/** How a call went. The numbers stay what they are. */
typedef enum midinf_status {
  MIDINF_STATUS_OK = 0,               /**< done */
  MIDINF_STATUS_INVALID_ARGUMENT = 1, /**< the caller asked for something that makes no sense */
  MIDINF_STATUS_NOT_FOUND = 2,        /**< a file or a name does not exist */
  MIDINF_STATUS_IO = 3,               /**< the system refused: permission, full disk */
  MIDINF_STATUS_CORRUPT = 4,          /**< bytes break the rules of their own format */
  MIDINF_STATUS_UNSUPPORTED = 5,      /**< valid, but not something that the library handles */
  MIDINF_STATUS_OUT_OF_MEMORY = 6,    /**< there is not enough */
  MIDINF_STATUS_CANCELLED = 7,        /**< a callback or a cancel function said so */
  MIDINF_STATUS_INTERNAL = 8          /**< a bug of ours: please report it */
} midinf_status;

/** What went wrong in this thread's last call that did not return MIDINF_STATUS_OK; "" before any. Never NULL; valid
 * until the thread's next failing call. [any] */
MIDINF_API const char* midinf_last_error(void);
/** "invalid argument" and the like; "unknown status" for other numbers. [any] */
MIDINF_API const char* midinf_status_name(midinf_status status);
/** "0.1.0": of the library that is running. [any] */
MIDINF_API const char* midinf_version(void);

/** Called now and then by long work, on the thread that does it, with how much is done, 0..1. Returning false cancels:
 * the work returns MIDINF_STATUS_CANCELLED. */
typedef bool (*midinf_progress_fn)(void* user, double done);

/* ------------------------------------------------------------------------------------------------------------ music */

/** Instruments are numbers. */
enum {
  MIDINF_DRUMS = 128,      /**< the drum kit; 0..127 are General MIDI programs */
  MIDINF_INSTRUMENTS = 129 /**< how many there are */
};

/** A note. */
typedef struct midinf_note {
  int64_t onset;      /**< ticks */
  int32_t duration;   /**< ticks, 0..999 from the model, any from a file */
  uint8_t instrument; /**< 0..128 */
  uint8_t pitch;      /**< MIDI key 0..127; for drums the percussion key */
  uint8_t velocity;   /**< 1..127 */
  uint8_t reserved;   /**< 0 */
  uint64_t event;     /**< number of the event in its stream or generator; 0 in files */
} midinf_note;

/** "Acoustic Grand Piano" … "Drums"; NULL beyond 128. [any] */
MIDINF_API const char* midinf_instrument_name(int instrument);
/** Reads "piano,bass,drums" or "0,33,128": General MIDI names, parts of names, families, numbers. [any] */
MIDINF_API midinf_status midinf_parse_ensemble(const char* text, int32_t* instruments, size_t capacity, size_t* count);
/** Reads "C major", "f# minor pentatonic" … as a mask: bit n allows pitch class n, C is 0. [any] */
MIDINF_API midinf_status midinf_parse_scale(const char* text, uint16_t* mask);

/** The notes of a Standard MIDI File, in order of onset. [any] */
MIDINF_API midinf_status midinf_midi_read(const void* bytes, size_t size, midinf_note* notes, size_t capacity,
                                          size_t* count);
/** A Standard MIDI File of `notes` (any order), which the caller frees with midinf_buffer_free. [any] */
MIDINF_API midinf_status midinf_midi_write(const midinf_note* notes, size_t count, void** bytes, size_t* size);
/** The file `prompt` with every event of its own, and `notes` in new tracks. [any] */
MIDINF_API midinf_status midinf_midi_continue(const void* prompt, size_t prompt_size, const midinf_note* notes,
                                              size_t count, void** bytes, size_t* size);
/** Takes back what a function gave as `bytes`; NULL is fine. [any] */
MIDINF_API void midinf_buffer_free(void* bytes);

/** Notes (any order) as the model's ids, three an event: onset, 10000 + duration, 11000 + 128 · instrument + pitch.
 * [any] */
MIDINF_API midinf_status midinf_tokens_from_notes(const midinf_note* notes, size_t count, int32_t* ids, size_t capacity,
                                                  size_t* id_count);
/** And back; rests and controls are dropped, velocities are 80. CORRUPT: these are not triplets of ids. [any] */
MIDINF_API midinf_status midinf_tokens_to_notes(const int32_t* ids, size_t id_count, midinf_note* notes,
                                                size_t capacity, size_t* count);

/* --------------------------------------------------------------------------------------------------------- settings */

/** Which id of an event is to be drawn. */
typedef enum midinf_slot {
  MIDINF_SLOT_ONSET = 0,    /**< when: ids 0..9999, ticks after the window's origin */
  MIDINF_SLOT_DURATION = 1, /**< how long: ids 10000..10999, 10000 + ticks */
  MIDINF_SLOT_NOTE = 2      /**< what: ids 11000..27511, 11000 + 128 · instrument + pitch; 27512 rests */
} midinf_slot;

/** One event as three ids; all three are 55025 where one piece ends and the next begins. */
typedef struct midinf_event {
  int32_t onset;    /**< in a history the tick of the stream, which may pass 9,999 */
  int32_t duration; /**< 10000 + ticks */
  int32_t note;     /**< 11000 + 128 · instrument + pitch; 27512: a rest */
} midinf_event;

/** Everything that a processor may look at. Valid during the call. */
typedef struct midinf_step {
  size_t struct_size;          /**< sizeof this struct */
  const midinf_event* history; /**< the latest events, at most 1,024, oldest first, onsets in ticks of the stream */
  size_t history_count;        /**< of `history` */
  size_t window_events;        /**< how many of them, from the end, the network sees */
  int64_t window_origin;       /**< the tick that the network knows as onset 0: onset id = tick - window_origin */
  int64_t now;                 /**< no event may begin before */
  midinf_slot slot;            /**< which id is to be drawn */
  midinf_event drawn;          /**< the ids of the event drawn so far, onset in the network's time */
} midinf_step;

/** A rule or a taste of your own, beside the built-in ones. Both functions must be pure (same arguments, same result: a
 * rewind asks again), quick, and callable from the thread that computes. Either may be NULL. */
typedef struct midinf_processor {
  size_t struct_size; /**< sizeof this struct */
  void* user;         /**< handed to both functions */
  /** Narrows what may be drawn: sets forbid[i] = true for ids of the `count` in `ids` that may not. Called once an id
   * drawn. When everything is forbidden the processor is overruled for that id. */
  void (*narrow)(void* user, const midinf_step* step, const int32_t* ids, size_t count, bool* forbid);
  /** Changes the logits of the ids that are left, before temperature and filters. -INFINITY forbids. An id whose logit
   * becomes NaN or +INFINITY keeps the one it had; when every id is forbidden the processor is overruled. */
  void (*edit)(void* user, const midinf_step* step, const int32_t* ids, float* logits, size_t count);
} midinf_processor;

/** The keys that one instrument may play. */
typedef struct midinf_pitch_range {
  int32_t instrument; /**< 0..128 */
  int32_t lowest;     /**< MIDI key 0..127 */
  int32_t highest;    /**< the last that it may play */
} midinf_pitch_range;

/** What density counts since an instrument last played. */
typedef enum midinf_density_unit {
  MIDINF_DENSITY_EVENTS = 0, /**< events of any instrument */
  MIDINF_DENSITY_SECONDS = 1 /**< time */
} midinf_density_unit;

/** What a musician may choose about the music. Arrays are copied. */
typedef struct midinf_settings {
  size_t struct_size;               /**< sizeof this struct */
  uint64_t seed;                    /**< the same seed and settings make the same music (0) */
  double temperature;               /**< 0..10: below 1 tamer, above wilder, 0 the likeliest (1) */
  double top_p;                     /**< 0..1: draw from the likeliest ids that together have this probability (0.98) */
  double min_p;                     /**< 0..1: drop ids less likely than this share of the likeliest (0: none) */
  int32_t top_k;                    /**< draw from so many likeliest ids (0: all) */
  int32_t instrument_cap;           /**< at most so many instruments within the window (0: any number) */
  int32_t polyphony;                /**< at most so many notes at once (0: any number) */
  midinf_density_unit density_unit; /**< what density counts (events) */
  double density;                   /**< 0..3: how strongly silent instruments are called (0) */
  double frequency_penalty;         /**< -2..2: taken from a note's logit for each time it stands in the window (0) */
  uint16_t scale;                   /**< bit n: pitch class n may sound; drums aside (0xFFF: all) */
  bool recover;                     /**< leave music that has died (true) */
  const int32_t* ensemble;          /**< instruments that may play (none: all) */
  size_t ensemble_count;            /**< of `ensemble` */
  const midinf_pitch_range* pitch_ranges; /**< at most one an instrument */
  size_t pitch_range_count;               /**< of `pitch_ranges` */
  const midinf_processor* processors;     /**< `user` and the functions must outlive whatever uses the settings */
  size_t processor_count;                 /**< of `processors` */
  int32_t pace;                           /**< at most so many notes begin within a second (0: any number) */
} midinf_settings;

/** The defaults, in brackets above. [any] */
MIDINF_API void midinf_settings_init(midinf_settings* settings);

/* ------------------------------------------------------------------------------------------------------------ model */

/** A network, immutable and shared by everything made from it. */
typedef struct midinf_model midinf_model;

/** How a model is loaded. */
typedef struct midinf_model_params {
  size_t struct_size; /**< sizeof this struct */
  int32_t threads; /**< 0..256 that compute together; 0: one a processor, at most 4. The music does not depend on it */
  const char* kernels;         /**< "plain", "avx2", "avx512_vnni", …; NULL: the fastest that this processor has */
  midinf_progress_fn progress; /**< may be NULL */
  void* progress_user;         /**< handed to it */
  int32_t float_cache; /**< 0..1; 1: a quantised model keeps attention's keys and values in float32, not in int8 */
} midinf_model_params;

/** What a model is. */
typedef struct midinf_model_info {
  size_t struct_size;  /**< sizeof this struct */
  int32_t layers;      /**< of the transformer */
  int32_t heads;       /**< of attention, a layer */
  int32_t width;       /**< of the residual stream */
  int32_t context;     /**< ids that it reads at once: 1,024 */
  int32_t vocabulary;  /**< ids that it knows: 55,028 */
  uint64_t parameters; /**< how many numbers it is made of */
  int32_t threads;     /**< that compute together */
  const char* kernels; /**< the instruction set in use: "plain", "avx2", … */
} midinf_model_info;

/** The defaults. [any] */
MIDINF_API void midinf_model_params_init(midinf_model_params* params);
/** Loads a .gguf file or a checkpoint folder. `params` may be NULL. [any] Cost: reads the file once. */
MIDINF_API midinf_status midinf_model_load_file(const char* path, const midinf_model_params* params,
                                                midinf_model** model);
/** The same from the bytes of a .gguf file, which may go afterwards. [any] */
MIDINF_API midinf_status midinf_model_load_memory(const void* bytes, size_t size, const midinf_model_params* params,
                                                  midinf_model** model);
/** NULL is fine. [any] */
MIDINF_API void midinf_model_free(midinf_model* model);
/** Fills in `info`, whose struct_size is set. [any] */
MIDINF_API midinf_status midinf_model_get_info(const midinf_model* model, midinf_model_info* info);

/** How a checkpoint is converted. */
typedef struct midinf_convert_params {
  size_t struct_size;          /**< sizeof this struct */
  const char* type;            /**< "f32", "f16", "q8_0", "q4_0" (NULL: q8_0) */
  midinf_progress_fn progress; /**< may be NULL */
  void* progress_user;         /**< handed to it */
} midinf_convert_params;

/** The defaults. [any] */
MIDINF_API void midinf_convert_params_init(midinf_convert_params* params);
/** Writes the checkpoint `source` (a Hugging Face folder, .safetensors, .bin or .gguf) as the .gguf file `destination`,
 * whole or not at all. "q4_0" rounds each number by itself, which costs several percent of likelihood; the program's
 * `convert --calibration` spares most of that. [any] */
MIDINF_API midinf_status midinf_convert(const char* source, const char* destination,
                                        const midinf_convert_params* params);

/* -------------------------------------------------------------------------------------------------------- generator */

/** Music one note after the other, for programs that keep time themselves. */
typedef struct midinf_generator midinf_generator;

/** Music from nothing, or that goes on from the last onset of `prompt` (notes in any order, at most a day long).
 * `settings` may be NULL. [any] */
MIDINF_API midinf_status midinf_generator_create(const midinf_model* model, const midinf_settings* settings,
                                                 const midinf_note* prompt, size_t prompt_count,
                                                 midinf_generator** generator);
/** NULL is fine. [main] */
MIDINF_API void midinf_generator_free(midinf_generator* generator);
/** Draws until a note stands; rests are passed over. `*taken_back_from` (may be NULL): music had died and was revived;
 * forget the earlier notes whose event has this number or a higher one (UINT64_MAX: none). CANCELLED: after
 * midinf_generator_cancel; NOT_FOUND: there was no note in a whole window of silence (341 events), and the next call
 * goes on; CORRUPT: the model computes no numbers. [worker] */
MIDINF_API midinf_status midinf_generator_next(midinf_generator* generator, midinf_note* note,
                                               uint64_t* taken_back_from);
/** Goes back to before the event with that number: with nothing changed the same music follows. NOT_FOUND: it has not
 * been generated, or so long ago that it is forgotten. [main] */
MIDINF_API midinf_status midinf_generator_rewind(midinf_generator* generator, uint64_t event);
/** Acts from the next event on. [main] */
MIDINF_API midinf_status midinf_generator_set_settings(midinf_generator* generator, const midinf_settings* settings);
/** The settings that act; the arrays hold until the next call with the same object. [main] */
MIDINF_API midinf_status midinf_generator_get_settings(midinf_generator* generator, midinf_settings* settings);
/** Ends a call of midinf_generator_next in another thread within 50 ms, or the next one; nothing is lost. [any] */
MIDINF_API void midinf_generator_cancel(midinf_generator* generator);
/** The whole generator as bytes (free with midinf_buffer_free). Processors are not saved, nor what a cancelled
 * midinf_generator_next has taken back and not told: let one succeed first. [main] */
MIDINF_API midinf_status midinf_generator_save(const midinf_generator* generator, void** bytes, size_t* size);
/** And back: it goes on as the saved one would have. CORRUPT, UNSUPPORTED: not bytes that midinf_generator_save made,
 * or those of a newer version. [any] */
MIDINF_API midinf_status midinf_generator_restore(const midinf_model* model, const void* bytes, size_t size,
                                                  midinf_generator** generator);

/* ----------------------------------------------------------------------------------------------------------- stream */

/** Music that plays for ever, a few seconds ahead of a listener, and obeys at once. */
typedef struct midinf_stream midinf_stream;

/** How a stream begins. */
typedef struct midinf_stream_params {
  size_t struct_size;              /**< sizeof this struct */
  double look_ahead_seconds;       /**< 0.1..60: how far the music is generated beyond the playhead (4) */
  double reaction_seconds;         /**< 0..10: a change is heard so long after the playhead, as it plays (0.25) */
  int32_t velocity;                /**< 1..127: every note so hard; 0: a player's accents (0) */
  const midinf_settings* settings; /**< NULL: the defaults */
  const midinf_note* prompt;       /**< to go on from; may be none */
  size_t prompt_count;             /**< of `prompt` */
} midinf_stream_params;

/** The defaults. [any] */
MIDINF_API void midinf_stream_params_init(midinf_stream_params* params);
/** `params` may be NULL. The prompt is read with the first steps. [any] */
MIDINF_API midinf_status midinf_stream_create(const midinf_model* model, const midinf_stream_params* params,
                                              midinf_stream** stream);
/** Ends what the thread does for it; while a player of it exists, that goes on and ends with the player. NULL is fine.
 * [main] */
MIDINF_API void midinf_stream_free(midinf_stream* stream);

/** Generates on a thread of the model's, which serves all its streams, the one with the least ahead first. [main] */
MIDINF_API midinf_status midinf_stream_start(midinf_stream* stream);
/** Returns when the thread no longer serves it; midinf_stream_start goes on. [main] */
MIDINF_API void midinf_stream_stop(midinf_stream* stream);
/** Without a thread: generates one id, or reads a few that were there before. *more is false when the music is far
 * enough ahead. Not between start and stop. [worker] */
MIDINF_API midinf_status midinf_stream_step(midinf_stream* stream, bool* more);

/** The notes that begin before `until_seconds` and have not been pulled; the playhead moves there, or to the end of
 * what is generated (*reached_seconds, may be NULL). Notes that do not fit in `capacity` stay for the next call, and
 * the playhead before them: *count is how many were written, never more. Not while a player exists. CORRUPT: the model
 * computes no numbers and all was pulled. [any, one thread at a time] */
MIDINF_API midinf_status midinf_stream_pull(midinf_stream* stream, double until_seconds, midinf_note* notes,
                                            size_t capacity, size_t* count, double* reached_seconds);

/** Where a stream is, and how it does. */
typedef struct midinf_stream_state {
  size_t struct_size;       /**< sizeof this struct */
  double playhead_seconds;  /**< up to here it has been pulled or played */
  double generated_seconds; /**< every note that begins before this is known */
  double seconds_ahead;     /**< the difference, as it plays at the present speed */
  uint64_t underruns;       /**< how often music was not ready in time */
  uint32_t recoveries;      /**< how often music had died and was revived */
  uint32_t given_up;        /**< how often that failed, and the music was left alone */
  size_t undo_steps;        /**< changes that midinf_stream_undo can take back */
  size_t redo_steps;        /**< and that midinf_stream_redo can make again */
  size_t takes;             /**< those there are */
  midinf_status status;     /**< CORRUPT: the model computes no numbers, and no more music comes */
  uint64_t first_event;     /**< the first that is generated: notes of a lower number are the prompt's, and a
                                 midi_continue of that prompt takes the others */
} midinf_stream_state;

/** Fills in `state`, whose struct_size is set. [any] */
MIDINF_API midinf_status midinf_stream_get_state(const midinf_stream* stream, midinf_stream_state* state);
/** All notes known, the prompt's too. [any] */
MIDINF_API midinf_status midinf_stream_get_notes(const midinf_stream* stream, midinf_note* notes, size_t capacity,
                                                 size_t* count);
/** Those whose event has this number or a higher one: what may have changed since the playhead was there. [any] */
MIDINF_API midinf_status midinf_stream_get_notes_from(const midinf_stream* stream, uint64_t event, midinf_note* notes,
                                                      size_t capacity, size_t* count);

/* Changes. Each drops what was generated beyond the playhead and a moment, is one step of undo, and is heard at once.
 * NOT_FOUND: what it goes back to does not exist, or was so long ago that it is forgotten. */

/** Other settings from a moment after the playhead on; one step of undo. Those that stand already change nothing,
 * unless they have processors: those may have changed. [any] */
MIDINF_API midinf_status midinf_stream_change(midinf_stream* stream, const midinf_settings* settings);
/** The same as part of the change before, such as a slider that is still being dragged: one undo takes both back.
 * [any] */
MIDINF_API midinf_status midinf_stream_amend(midinf_stream* stream, const midinf_settings* settings);
/** The settings that act (an undo brings back earlier ones); the arrays hold until the next call. [main] */
MIDINF_API midinf_status midinf_stream_get_settings(midinf_stream* stream, midinf_settings* settings);
/** Other music from the playhead on; from an earlier moment when from_seconds is one (negative: the playhead). One step
 * of undo. NOT_FOUND: that moment is forgotten. [any] */
MIDINF_API midinf_status midinf_stream_again(midinf_stream* stream, double from_seconds);
/** Takes the last change back: notes and settings are what they were, exactly. The playhead goes back to the change
 * when it has passed what comes back. NOT_FOUND: there is none, or it is forgotten. [any] */
MIDINF_API midinf_status midinf_stream_undo(midinf_stream* stream);
/** Makes it again. NOT_FOUND: there is none. [any] */
MIDINF_API midinf_status midinf_stream_redo(midinf_stream* stream);
/** Moves the playhead to any moment that is known. No step of undo. NOT_FOUND: it is not. [any] */
MIDINF_API midinf_status midinf_stream_seek(midinf_stream* stream, double to_seconds);

/** A take: a way in which the music could go on from where it branched off, generated beside it. */
typedef struct midinf_take {
  size_t struct_size;       /**< sizeof this struct */
  int32_t id;               /**< for the functions below */
  bool complete;            /**< all of it is known */
  uint64_t seed;            /**< that it is made with */
  double from_seconds;      /**< where it branches off */
  double generated_seconds; /**< up to here it is known */
} midinf_take;
/** Begins `count` (1..16) takes of `seconds` (at most 600) from now on, generated when the music itself is far enough
 * ahead. Those there are are dropped. NOT_FOUND: the music at the playhead is forgotten. [any] */
MIDINF_API midinf_status midinf_stream_start_takes(midinf_stream* stream, int32_t count, double seconds);
/** The `index`-th of them; NOT_FOUND: there are no more. [any] */
MIDINF_API midinf_status midinf_stream_get_take(const midinf_stream* stream, size_t index, midinf_take* take);
/** What is known of the take `id`. NOT_FOUND: there is no such take. [any] */
MIDINF_API midinf_status midinf_stream_get_take_notes(const midinf_stream* stream, int32_t id, midinf_note* notes,
                                                      size_t capacity, size_t* count);
/** The music becomes that take from where it branched off; the others are dropped. One step of undo. NOT_FOUND: there
 * is no such take. [any] */
MIDINF_API midinf_status midinf_stream_accept_take(midinf_stream* stream, int32_t id);
/** Forgets all takes. [any] */
MIDINF_API midinf_status midinf_stream_drop_takes(midinf_stream* stream);

/* What acts on music already generated and rewinds nothing. A value beyond its range counts as the nearest within. */

/** False pauses: nothing sounds, the playhead stands, and changes act right there. [any] */
MIDINF_API void midinf_stream_set_playing(midinf_stream* stream, bool playing);
/** 0.25..4 times as fast as written (1). [any] */
MIDINF_API void midinf_stream_set_speed(midinf_stream* stream, double speed);
/** By -36..36 semitones, drums aside (0). [any] */
MIDINF_API void midinf_stream_set_transpose(midinf_stream* stream, int32_t semitones);
/** Percent of each note's velocity, 0..200 (100); 0 plays no note. [any] */
MIDINF_API void midinf_stream_set_velocity(midinf_stream* stream, int32_t percent);
/** The channel volume of an instrument, 0..127 (100); players only. [any] */
MIDINF_API void midinf_stream_set_volume(midinf_stream* stream, int32_t instrument, int32_t volume);
/** Whether an instrument is silent (false). [any] */
MIDINF_API void midinf_stream_set_muted(midinf_stream* stream, int32_t instrument, bool muted);
/** Silences everything at once; the music goes on with the next note. [any] */
MIDINF_API void midinf_stream_panic(midinf_stream* stream);

/** The session (notes, settings, takes, playhead) with bytes of your own, as bytes: free them with midinf_buffer_free.
 * Processors, undo and what rewinds nothing (speed, mutes and the like) are not saved. [any] */
MIDINF_API midinf_status midinf_stream_save(const midinf_stream* stream, const void* attachment, size_t attachment_size,
                                            void** bytes, size_t* size);
/** And back; it waits for midinf_stream_start. `attachment` (free it) and `attachment_size` may be NULL. CORRUPT,
 * UNSUPPORTED: not bytes that midinf_stream_save made, or those of a newer version. [any] */
MIDINF_API midinf_status midinf_stream_open(const midinf_model* model, const void* bytes, size_t size,
                                            midinf_stream** stream, void** attachment, size_t* attachment_size);

/* ----------------------------------------------------------------------------------------------------------- player */

/** The audio side of a stream: MIDI messages at sample offsets. */
typedef struct midinf_player midinf_player;

/** One message for a synthesizer. */
typedef struct midinf_message {
  uint32_t offset;     /**< samples into the block */
  uint8_t size;        /**< 2 or 3 */
  uint8_t bytes[3];    /**< status first */
  uint8_t instrument;  /**< 0..128, whose channel it is */
  uint8_t reserved[7]; /**< 0 */
  uint64_t event;      /**< of note-on and note-off; UINT64_MAX for others */
} midinf_message;

/** How a player plays. */
typedef struct midinf_player_params {
  size_t struct_size;  /**< sizeof this struct */
  int32_t sample_rate; /**< 1000..1000000 (48000) */
  int32_t
      rebuffer_ms; /**< 0..60000: music that must be ahead before it starts or goes on, at most the look-ahead (250) */
} midinf_player_params;

/** The defaults. [any] */
MIDINF_API void midinf_player_params_init(midinf_player_params* params);
/** From now on the stream's notes go to the player; one player a stream. `params` may be NULL. [main] */
MIDINF_API midinf_status midinf_player_create(midinf_stream* stream, const midinf_player_params* params,
                                              midinf_player** player);
/** The audio callback must have ended. The stream's notes can be pulled again. [main] */
MIDINF_API void midinf_player_free(midinf_player* player);
/** Plays the next `frames` samples: writes what is due, in order of offset, and returns how many. When `capacity` is
 * too small the rest follows in the next calls: 64 is plenty. [audio] */
MIDINF_API size_t midinf_player_process(midinf_player* player, uint32_t frames, midinf_message* messages,
                                        size_t capacity);

/** How a player does, as of the end of the last block. */
typedef struct midinf_player_state {
  size_t struct_size;      /**< sizeof this struct */
  double playhead_seconds; /**< where the music is */
  int32_t sounding;        /**< notes that sound */
  uint64_t underruns;      /**< how often music was not ready in time */
  uint64_t late;           /**< notes played after their onset */
  uint64_t dropped;        /**< notes not played: far too late, or no channel was left */
  uint64_t stolen;         /**< how often an instrument lost its channel while it sounded */
} midinf_player_state;
/** Fills in `state`, whose struct_size is set. [any] */
MIDINF_API midinf_status midinf_player_get_state(const midinf_player* player, midinf_player_state* state);

#ifdef __cplusplus
}
#endif

#endif /* MIDINFINITE_MIDINFINITE_H */
