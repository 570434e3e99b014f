/* The model that firmware holds: its bytes, its labels, and what its numbers mean.
 *
 * SHA-256 of the bytes: $sha256
 */
#ifndef MODEL_DATA_H_
#define MODEL_DATA_H_

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

$numbers
$arena
/* A number of the input or output stands for (number - zero point) * scale. */
typedef $input_type model_input_t;
typedef $output_type model_output_t;

/* Begins at a multiple of $alignment bytes, as the interpreter wants it. */
extern const unsigned char model_data[MODEL_BYTES];

/* In UTF-8, in the order of the labels. */
extern const char *const model_labels[MODEL_CLASSES];

#ifdef __cplusplus
}
#endif

#endif /* MODEL_DATA_H_ */
