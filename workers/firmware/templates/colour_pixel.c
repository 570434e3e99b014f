static void write_pixel(const uint8_t *pixel, model_input_t *out) {
  int plane;
  for (plane = 0; plane < PLANES; plane++) out[plane] = $value;
}
