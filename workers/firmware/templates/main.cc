/* Runs the model on one $noun with TensorFlow Lite for Microcontrollers, and prints the label.
 *
 * On a computer it reads a file: ./main $example
 * On a board, give Classify() what the $source gives.
 *
 * Compile it with model_data.cc, preprocess.c and the library of tflite-micro.
 */
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "model_data.h"
#include "model_resolver.h"
#include "preprocess.h"
#include "tensorflow/lite/c/common.h"
#include "tensorflow/lite/micro/micro_interpreter.h"
#include "tensorflow/lite/micro/system_setup.h"
#include "tensorflow/lite/schema/schema_generated.h"

namespace {

constexpr int kFailed = -1;

alignas(16) uint8_t arena[MODEL_ARENA_BYTES];

/* The interpreter with its memory planned; nullptr if the arena or an operator is missing. */
tflite::MicroInterpreter* ReadyInterpreter() {
  static ModelResolver resolver;
  if (AddModelOperators(resolver) != kTfLiteOk) return nullptr;
  static tflite::MicroInterpreter interpreter(tflite::GetModel(model_data), resolver, arena,
                                              sizeof(arena));
  return interpreter.AllocateTensors() == kTfLiteOk ? &interpreter : nullptr;
}

/* What the model gives for one unit, as a real number. */
float Score(const TfLiteTensor& output, int unit) {
  model_output_t value;
  std::memcpy(&value, output.data.raw + unit * sizeof(value), sizeof(value));
  return MODEL_OUTPUT_SCALE * (static_cast<float>(value) - MODEL_OUTPUT_ZERO_POINT);
}

/* The class with the highest score; of a single unit, the second class above $threshold. */
int BestClass(const TfLiteTensor& output) {
  if (MODEL_OUTPUT_UNITS == 1) return Score(output, 0) > $threshold ? 1 : 0;
  int best = 0;
  for (int unit = 1; unit < MODEL_OUTPUT_UNITS; unit++) {
    if (Score(output, unit) > Score(output, best)) best = unit;
  }
  return best;
}

}  // namespace

$classify
int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "Usage: %s $example\n", argv[0]);
    return 2;
  }
  tflite::InitializeTarget();
  tflite::MicroInterpreter* interpreter = ReadyInterpreter();
  if (interpreter == nullptr) {
    std::fprintf(stderr, "The model needs more arena, or an operator that is not there.\n");
    return 1;
  }
  int label = ClassifyFile(*interpreter, argv[1]);
  if (label == kFailed) {
    std::fprintf(stderr, "%s cannot be read as $example.\n", argv[1]);
    return 1;
  }
  std::printf("%s\n", model_labels[label]);
  for (int unit = 0; unit < MODEL_OUTPUT_UNITS; unit++) {
    std::fprintf(stderr, "unit %d: %g\n", unit,
                 static_cast<double>(Score(*interpreter->output(0), unit)));
  }
  return 0;
}
