/* The class of MODEL_INPUT_VALUES readings, an index into model_labels; negative if it cannot be
 * told. */
int Classify(tflite::MicroInterpreter& interpreter, const float* readings) {
  preprocess_values(readings,
                    reinterpret_cast<model_input_t*>(interpreter.input(0)->data.raw));
  if (interpreter.Invoke() != kTfLiteOk) return kFailed;
  return BestClass(*interpreter.output(0));
}

/* The class of a text file with MODEL_INPUT_VALUES numbers, apart by commas or spaces. */
int ClassifyFile(tflite::MicroInterpreter& interpreter, const char* path) {
  static float readings[MODEL_INPUT_VALUES];
  std::FILE* file = std::fopen(path, "r");
  if (file == nullptr) return kFailed;
  int found = 0;
  while (found < MODEL_INPUT_VALUES && std::fscanf(file, "%f%*[, \t\r\n]", &readings[found]) == 1) {
    found++;
  }
  std::fclose(file);
  return found == MODEL_INPUT_VALUES ? Classify(interpreter, readings) : kFailed;
}

