/* The operators of the model: no other is linked into the firmware. */
#ifndef MODEL_RESOLVER_H_
#define MODEL_RESOLVER_H_

#include "tensorflow/lite/c/common.h"
#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"

using ModelResolver = tflite::MicroMutableOpResolver<$n>;

/* Call it once, before the interpreter is made. */
inline TfLiteStatus AddModelOperators(ModelResolver& resolver) {
$methods
  return kTfLiteOk;
}

#endif /* MODEL_RESOLVER_H_ */
