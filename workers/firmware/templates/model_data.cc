/* The bytes and labels of the model. See model_data.h. */
#include "model_data.h"

alignas($alignment) const unsigned char model_data[MODEL_BYTES] = {
$data
};

const char *const model_labels[MODEL_CLASSES] = {
$labels
};
