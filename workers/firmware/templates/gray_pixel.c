static void write_pixel(const uint8_t *pixel, model_input_t *out) {
  /* ITU-R BT.601; halves are rounded to the even level. */
  unsigned sum = 299u * pixel[0] + 587u * pixel[1] + 114u * pixel[2];
  unsigned level = (sum + 500) / 1000;
  if (sum % 1000 == 500 && level % 2 == 1) level--;
  out[0] = $value;
}
