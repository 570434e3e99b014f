/* Readings become the input of the model, as they did in training. See preprocess.h. */
#include "preprocess.h"

#include <math.h>

$standardization
void preprocess_values(const float *readings, model_input_t *input) {
  int i;
  for (i = 0; i < MODEL_INPUT_VALUES; i++) {
$standardized
$quantized
  }
}
