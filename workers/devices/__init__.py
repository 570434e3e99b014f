"""From a `.tflite` to latency, flash and RAM of a device."""
