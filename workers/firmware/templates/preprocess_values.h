/* Readings become the input of the model, as they did in training.
 *
 * preprocess.json says the rule in words, and predict.py follows it: the same readings give the
 * same numbers here.
 */
#ifndef PREPROCESS_H_
#define PREPROCESS_H_

#include "model_data.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Fill `input` from MODEL_INPUT_VALUES readings: for each time step (or row and column), one
 * of every channel. */
void preprocess_values(const float *readings, model_input_t *input);

#ifdef __cplusplus
}
#endif

#endif /* PREPROCESS_H_ */
