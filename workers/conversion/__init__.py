"""From weights to a `.tflite`: schemes, sizes, accuracy by LiteRT. Its latency is for
`workers/latency` and `workers/devices`."""
