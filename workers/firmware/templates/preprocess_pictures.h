/* A camera frame becomes the input of the model, as pictures did in training.
 *
 * preprocess.json says the rule in words, and predict.py follows it with Pillow. Here the same frame
 * gives the same numbers$gray_tolerance. Of a frame that is narrower for its height than the input,
 * Pillow 13 may scale columns before rows: then a level may differ by the rounding in between, by
 * one as a rule.
 */
#ifndef PREPROCESS_H_
#define PREPROCESS_H_

#include <stdint.h>

#include "model_data.h"

/* By how much a frame may be scaled down; one that is larger is refused. Working memory grows with
 * it. $max_scale is enough for VGA (640x480). */
#ifndef PREPROCESS_MAX_SCALE
#define PREPROCESS_MAX_SCALE $max_scale
#endif

#ifdef __cplusplus
extern "C" {
#endif

typedef enum {
  PREPROCESS_RGB888,    /* Three bytes a pixel: red, green, blue. */
  PREPROCESS_RGB565_LE, /* Two bytes a pixel, the lower one first: uint16_t of most MCUs. */
  PREPROCESS_RGB565_BE, /* Two bytes a pixel, the upper one first: as many cameras send them. */
  PREPROCESS_GRAY       /* One byte a pixel. */
} preprocess_format_t;

typedef struct {
  const uint8_t *pixels; /* The upper left pixel first. */
  int width;             /* In pixels. */
  int height;            /* In pixels. */
  int stride_bytes;      /* From one row to the next; 0 for rows without a gap. */
  preprocess_format_t format;
} preprocess_frame_t;

enum {
  PREPROCESS_OK = 0,
  PREPROCESS_NO_FRAME = -1, /* There is none, or its size is not positive. */
  PREPROCESS_TOO_LARGE = -2 /* Define a larger PREPROCESS_MAX_SCALE. */
};

/* Fill `input`, MODEL_INPUT_VALUES numbers, from a frame of any size. Returns PREPROCESS_OK, or one
 * of the others and leaves `input` as it is. Uses no heap; not for several threads at once. */
int preprocess_frame(const preprocess_frame_t *frame, model_input_t *input);

#ifdef __cplusplus
}
#endif

#endif /* PREPROCESS_H_ */
