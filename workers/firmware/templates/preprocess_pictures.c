/* A camera frame becomes the input of the model, as pictures did in training. See preprocess.h.
 *
 * The middle of the frame that has the shape of the input is scaled with a bicubic filter whose
 * support grows with the scale, first along rows, then along columns, in fixed point with 22
 * fractional bits, and rounded to 8 bits after each: the same numbers as Pillow's ImageOps.fit.
 */
#include "preprocess.h"

#include <stddef.h>

#define TAPS (4 * PREPROCESS_MAX_SCALE + 1)
#define PLANES 3
#define FRACTION_BITS 22

/* Working memory, about $scratch_kb kB as configured. Not for several threads at once. */
static int32_t column_weights[MODEL_INPUT_WIDTH][TAPS];
static int column_first[MODEL_INPUT_WIDTH];
static int column_count[MODEL_INPUT_WIDTH];
static int32_t row_weights[TAPS];
static uint8_t scaled_rows[TAPS][MODEL_INPUT_WIDTH * PLANES];

$level_table
static double bicubic(double x) {
  const double a = -0.5;
  if (x < 0.0) x = -x;
  if (x < 1.0) return ((a + 2.0) * x - (a + 3.0)) * x * x + 1;
  if (x < 2.0) return (((x - 5) * x + 8) * x - 4) * a;
  return 0.0;
}

/* Weights of the source pixels that make up pixel `at` of `n`, which lie between begin and end.
 * Returns how many there are. */
static int filter_weights(int source_size, float begin, float end, int n, int at, int *first,
                          int32_t *weights) {
  double found[TAPS];
  double scale = (double)(end - begin) / n;
  double filter_scale = scale < 1.0 ? 1.0 : scale;
  double support = 2.0 * filter_scale;
  double centre = begin + (at + 0.5) * scale;
  double inverse = 1.0 / filter_scale;
  double sum = 0.0;
  int low = (int)(centre - support + 0.5);
  int high = (int)(centre + support + 0.5);
  int i, count;
  if (low < 0) low = 0;
  if (high > source_size) high = source_size;
  count = high - low;
  if (count > TAPS) count = TAPS;
  for (i = 0; i < count; i++) {
    found[i] = bicubic((i + low - centre + 0.5) * inverse);
    sum += found[i];
  }
  for (i = 0; i < count; i++) {
    double weight = (sum != 0.0 ? found[i] / sum : found[i]) * (1 << FRACTION_BITS);
    weights[i] = (int32_t)(weight < 0 ? weight - 0.5 : weight + 0.5);
  }
  *first = low;
  return count;
}

static uint8_t clipped(int32_t sum) {
  if (sum < 0) return 0;
  sum >>= FRACTION_BITS;
  return sum > 255 ? 255 : (uint8_t)sum;
}

/* One pixel of a frame, `x` pixels into a row: one plane, or three. */
static void read_pixel(const uint8_t *row, int x, preprocess_format_t format, int32_t *planes) {
  unsigned low, high, packed;
  switch (format) {
    case PREPROCESS_RGB888:
      planes[0] = row[3 * x];
      planes[1] = row[3 * x + 1];
      planes[2] = row[3 * x + 2];
      return;
    case PREPROCESS_RGB565_LE:
    case PREPROCESS_RGB565_BE:
      low = row[2 * x + (format == PREPROCESS_RGB565_BE)];
      high = row[2 * x + (format == PREPROCESS_RGB565_LE)];
      packed = high << 8 | low;
      /* The upper bits are repeated below, so that white is 255. */
      planes[0] = (int32_t)((packed >> 11) << 3 | (packed >> 13));
      planes[1] = (int32_t)((packed >> 5 & 63) << 2 | (packed >> 9 & 3));
      planes[2] = (int32_t)((packed & 31) << 3 | (packed >> 2 & 7));
      return;
    case PREPROCESS_GRAY:
    default:
      planes[0] = row[x];
      return;
  }
}

static void scale_row(const uint8_t *row, preprocess_format_t format, int n_planes, uint8_t *out) {
  int x, i, plane;
  for (x = 0; x < MODEL_INPUT_WIDTH; x++) {
    int32_t sums[PLANES] = {1 << (FRACTION_BITS - 1), 1 << (FRACTION_BITS - 1),
                            1 << (FRACTION_BITS - 1)};
    for (i = 0; i < column_count[x]; i++) {
      int32_t pixel[PLANES] = {0, 0, 0};
      read_pixel(row, column_first[x] + i, format, pixel);
      for (plane = 0; plane < n_planes; plane++) {
        sums[plane] += pixel[plane] * column_weights[x][i];
      }
    }
    for (plane = 0; plane < n_planes; plane++) out[x * n_planes + plane] = clipped(sums[plane]);
  }
}

static int bytes_per_pixel(preprocess_format_t format) {
  if (format == PREPROCESS_RGB888) return 3;
  return format == PREPROCESS_GRAY ? 1 : 2;
}

$to_input
int preprocess_frame(const preprocess_frame_t *frame, model_input_t *input) {
  const double wanted = (double)MODEL_INPUT_WIDTH / MODEL_INPUT_HEIGHT;
  double width, height, left, top;
  float x_begin, x_end, y_begin, y_end;
  int n_planes, stride, x, y, i, plane, next_row = 0;

  if (frame == NULL || input == NULL || frame->pixels == NULL || frame->width < 1 ||
      frame->height < 1) {
    return PREPROCESS_NO_FRAME;
  }
  stride = frame->stride_bytes;
  if (stride == 0) stride = frame->width * bytes_per_pixel(frame->format);
  n_planes = frame->format == PREPROCESS_GRAY ? 1 : PLANES;

  /* The largest part of the frame, in the middle, that has the shape of the input. */
  width = frame->width;
  height = frame->height;
  if (width / height > wanted) {
    width = wanted * height;
  } else if (width / height < wanted) {
    height = width / wanted;
  }
  if (width > (double)PREPROCESS_MAX_SCALE * MODEL_INPUT_WIDTH ||
      height > (double)PREPROCESS_MAX_SCALE * MODEL_INPUT_HEIGHT) {
    return PREPROCESS_TOO_LARGE;
  }
  left = (frame->width - width) * 0.5;
  top = (frame->height - height) * 0.5;
  x_begin = (float)left;
  x_end = (float)(left + width);
  y_begin = (float)top;
  y_end = (float)(top + height);

  for (x = 0; x < MODEL_INPUT_WIDTH; x++) {
    column_count[x] = filter_weights(frame->width, x_begin, x_end, MODEL_INPUT_WIDTH, x,
                                     &column_first[x], column_weights[x]);
  }
  for (y = 0; y < MODEL_INPUT_HEIGHT; y++) {
    int first;
    int count = filter_weights(frame->height, y_begin, y_end, MODEL_INPUT_HEIGHT, y, &first,
                               row_weights);
    /* Each row of the frame is scaled once, and kept as long as rows of the input need it. */
    if (next_row < first) next_row = first;
    for (; next_row < first + count; next_row++) {
      scale_row(frame->pixels + (size_t)next_row * (size_t)stride, frame->format, n_planes,
                scaled_rows[next_row % TAPS]);
    }
    for (x = 0; x < MODEL_INPUT_WIDTH; x++) {
      uint8_t pixel[PLANES] = {0, 0, 0};
      for (plane = 0; plane < n_planes; plane++) {
        int32_t sum = 1 << (FRACTION_BITS - 1);
        for (i = 0; i < count; i++) {
          sum += scaled_rows[(first + i) % TAPS][x * n_planes + plane] * row_weights[i];
        }
        pixel[plane] = clipped(sum);
      }
      if (n_planes == 1) pixel[1] = pixel[2] = pixel[0];
      write_pixel(pixel, input + (y * MODEL_INPUT_WIDTH + x) * MODEL_INPUT_CHANNELS);
    }
  }
  return PREPROCESS_OK;
}
