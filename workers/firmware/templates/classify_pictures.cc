/* The class of a camera frame, an index into model_labels; negative if it cannot be told. */
int Classify(tflite::MicroInterpreter& interpreter, const preprocess_frame_t& frame) {
  model_input_t* input = reinterpret_cast<model_input_t*>(interpreter.input(0)->data.raw);
  if (preprocess_frame(&frame, input) != PREPROCESS_OK) return kFailed;
  if (interpreter.Invoke() != kTfLiteOk) return kFailed;
  return BestClass(*interpreter.output(0));
}

/* The class of a binary PPM (P6) or PGM (P5) file with 8 bits a channel. */
int ClassifyFile(tflite::MicroInterpreter& interpreter, const char* path) {
  std::FILE* file = std::fopen(path, "rb");
  if (file == nullptr) return kFailed;
  char kind = 0;
  int width = 0, height = 0, highest = 0, label = kFailed;
  if (std::fscanf(file, "P%c %d %d %d", &kind, &width, &height, &highest) == 4 &&
      (kind == '5' || kind == '6') && width > 0 && height > 0 && width < 10000 &&
      height < 10000 && highest == 255) {
    std::fgetc(file);
    size_t size = static_cast<size_t>(width) * height * (kind == '6' ? 3 : 1);
    uint8_t* pixels = static_cast<uint8_t*>(std::malloc(size));
    if (pixels != nullptr && std::fread(pixels, 1, size, file) == size) {
      preprocess_frame_t frame = {pixels, width, height, 0,
                                  kind == '6' ? PREPROCESS_RGB888 : PREPROCESS_GRAY};
      label = Classify(interpreter, frame);
    }
    std::free(pixels);
  }
  std::fclose(file);
  return label;
}

