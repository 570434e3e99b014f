"""From trained weights to the ``.tflite`` file of a quantization scheme.

One run of TensorFlow's converter gives a float32 file; ``litert-quantizer`` makes the other
post-training schemes from it in milliseconds. Run side by side on MNIST (three blocks of plain
or separable convolutions, both heads; 4,000 to 61,000 parameters), its files are as accurate as
the converter's (within 0.3 %) and smaller compressed, by under 1 % (float32, some float16) to
40 % (int16x8, separable). They are as fast, but for separable convolutions under
dynamic-range, where the converter leaves small layers in float32 (9 us against 13). The
converter remains for quantization-aware models, and its last pass for sparsity encoding.

Processor time with 24,282 parameters: 0.07 s for float32, then 6 to 10 ms each for float16,
dynamic-range and int4, 25 ms for int8 and int16x8, calibration with 200 images included.
"""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from spaces.config.schemes import QuantizationScheme
from spaces.data.dataset import Split
from spaces.errors import ConversionError
from workers.conversion.converter_quantizer import converter_quantized
from workers.conversion.flatbuffer import canonical, read_model
from workers.conversion.float_operations import float_operations
from workers.conversion.runtime import Array, fixed_batch, invoke, load, network_input, outputs
from workers.conversion.tf_converter import converted_for_any_batch, quiet, reason

FloatImages = npt.NDArray[np.float32]

Ranges = dict[str, dict[str, npt.NDArray[np.float32]]]
"""Lowest and highest value, ``min`` and ``max``, of each tensor by its name."""

CALIBRATION_BATCH = 20
"""Images an invocation: every activation of the network is kept for all of them at once."""

N_COMPARED = 50
"""Representative images by which two quantized files are compared with the float one."""

AS_TRUE = 1.5
"""How much farther from the float file's answers a file with fewer float operations may be."""

NEARLY = 0.002
"""What is always near enough, as a share of the range of the answers."""

STATIC_BITS = {QuantizationScheme.INT8: 8, QuantizationScheme.INT16X8: 16}
DYNAMIC_BITS = {QuantizationScheme.DYNAMIC_RANGE: 8, QuantizationScheme.DYNAMIC_INT4: 4}


def representative_images(split: Split, seed: int, n: int) -> FloatImages:
    """Return images that stand for a split, as networks see them; the same for the same seed."""
    n = min(n, len(split))
    picked = np.sort(np.random.default_rng((seed, 1)).choice(len(split), n, replace=False))
    return network_input(np.asarray(split.images[picked]))


def float_tflite(model: Any) -> bytes:
    """Convert a trained Keras model to a float32 ``.tflite`` file.

    Its input is one image, ``[1, height, width, channels]``, and can be resized to a batch;
    that of networks which can be converted or run for single images only, as recurrent ones,
    cannot (see :func:`workers.conversion.runtime.fixed_batch`). The same weights give the same
    bytes, in any process.

    Args:
        model: Keras 2 model without pruning or quantization wrappers.

    Raises:
        ConversionError: If the converter refuses an operation of the model.
    """
    return converted_for_any_batch(model)


def quantize_variant(float_model: bytes, scheme: QuantizationScheme, images: FloatImages) -> bytes:
    """Quantize a float32 ``.tflite`` file after training.

    Args:
        float_model: What :func:`float_tflite` returned.
        scheme: A scheme that needs no training of its own.
        images: Representative images, for schemes that calibrate. A few hundred are usual.

    Returns:
        The quantized file. ``int8`` and ``int16x8`` are integer throughout, input and output
        included, as microcontrollers need it; where litert-quantizer leaves operations in floats
        and TensorFlow's converter leaves fewer, the file is the converter's (see
        :func:`workers.conversion.float_operations.float_operations` for what is left then).

    Raises:
        ConversionError: If the network cannot be quantized so.
    """
    if scheme is QuantizationScheme.FLOAT32:
        return float_model
    if scheme in STATIC_BITS:
        return _integer_variant(float_model, scheme, images)
    return _quantized(float_model, scheme, images)


def _integer_variant(float_model: bytes, scheme: QuantizationScheme, images: FloatImages) -> bytes:
    """Return the file with the fewest operations in floats that is as true to the float one."""
    if len(read_model(float_model).subgraphs) > 1:
        raise ConversionError(
            f"{scheme}: the loop of a recurrent layer cannot be made integer; unroll=True makes "
            f"short ones without a loop"
        )
    _known_ranges(float_model, images)  # No quantizer mends a network without finite ones.
    own: bytes | None = None
    refused: ConversionError | None = None
    islands = 0
    try:
        own = _quantized(float_model, scheme, images)
        islands = sum(float_operations(own).values())
        invoke(load(own))
        if not islands:
            return own
    except ConversionError as error:
        own, refused = None, error
    with contextlib.suppress(ConversionError), quiet():
        other = canonical(converter_quantized(float_model, scheme, images))
        invoke(load(other))
        if own is None:
            return other
        if sum(float_operations(other).values()) < islands:
            shown = images[:N_COMPARED]
            wanted = outputs(float_model, shown)
            deviation, step = _deviation(other, wanted, shown)
            least = max(_deviation(own, wanted, shown)[0], NEARLY * float(np.ptp(wanted)))
            if deviation <= AS_TRUE * least + step:
                return other
    if own is None:
        assert refused is not None
        raise refused
    return own


def _deviation(tflite: bytes, wanted: Array, images: FloatImages) -> tuple[float, float]:
    """Return the mean distance of a file's answers from those wanted, and the step of them."""
    from workers.conversion.accuracy import tflite_outputs

    scores, step = tflite_outputs(tflite, images)
    return float(np.mean(np.abs(scores - wanted))), step


def _quantized(float_model: bytes, scheme: QuantizationScheme, images: FloatImages) -> bytes:
    from litert_quantizer import qtyping, quantizer

    try:
        with quiet():
            worker = quantizer.Quantizer(bytearray(float_model))
            calibration = None
            if scheme is QuantizationScheme.FLOAT16:
                worker.update_quantization_recipe(
                    regex=".*",
                    operation_name=qtyping.TFLOperationName.ALL_SUPPORTED,
                    op_config=qtyping.OpQuantizationConfig(
                        weight_tensor_config=qtyping.TensorQuantizationConfig(
                            num_bits=16, dtype=qtyping.TensorDataType.FLOAT
                        ),
                        compute_precision=qtyping.ComputePrecision.FLOAT,
                    ),
                    algorithm_key="float_casting",
                )
            elif scheme in DYNAMIC_BITS:
                # Depthwise weights are few, and XNNPACK has no fast kernel for dynamically
                # quantized depthwise convolutions: they nearly double a network's time. It has
                # none for int4 convolutions either, which run outside it: the network takes three
                # to four times as long as with int8 ones, for a file 20 to 40 % smaller. Dense
                # layers: one scale a channel is as accurate as one for 32 weights, and smaller.
                for name in ("CONV_2D", "FULLY_CONNECTED"):
                    worker.add_dynamic_config(
                        regex=".*",
                        operation_name=qtyping.TFLOperationName[name],
                        num_bits=DYNAMIC_BITS[scheme],
                    )
            elif scheme in STATIC_BITS:
                worker.add_static_config(
                    regex=".*",
                    operation_name=qtyping.TFLOperationName.ALL_SUPPORTED,
                    activation_num_bits=STATIC_BITS[scheme],
                    weight_num_bits=8,
                )
                calibration = _known_ranges(float_model, images)
            else:
                raise ConversionError(f"{scheme} needs training of its own.")
            quantized = bytes(worker.quantize(calibration).quantized_model)
    except (ValueError, RuntimeError, KeyError, ZeroDivisionError) as error:
        raise ConversionError(f"{scheme}: {reason(error)}") from error
    return canonical(quantized)


_last_ranges: tuple[bytes, Callable[[], Any], Ranges] = (b"", lambda: None, {})


def _known_ranges(float_model: bytes, images: FloatImages) -> Ranges:
    """Return activation ranges, found out once for ``int8`` and ``int16x8`` in a row."""
    global _last_ranges
    if _last_ranges[0] != float_model or _last_ranges[1]() is not images:
        ranges = activation_ranges(float_model, images)
        _last_ranges = (float_model, weakref.ref(images), ranges)
    # A copy: who gets it may widen it.
    return {name: dict(limits) for name, limits in _last_ranges[2].items()}


def activation_ranges(float_model: bytes, images: FloatImages) -> Ranges:
    """Return the lowest and highest value of every tensor over representative images.

    Raises:
        ConversionError: If the network gives values that are not finite.
    """
    ranges: Ranges = {}
    interpreter: Any = None
    size = fixed_batch(float_model) or CALIBRATION_BATCH
    for start in range(0, len(images), size):
        batch = images[start : start + size]
        if interpreter is None or len(batch) != size:
            interpreter = load(float_model, len(batch), keep_tensors=True)
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], batch)
        invoke(interpreter)
        _widen(ranges, interpreter)
    return ranges


def _widen(ranges: Ranges, interpreter: Any) -> None:
    """Widen ranges to what the tensors hold after an invocation."""
    for tensor in interpreter.get_tensor_details():
        if tensor["dtype"] != np.float32 or not tensor["name"]:
            continue
        try:
            values = interpreter.get_tensor(tensor["index"])
        except ValueError:
            continue  # Scratch memory of a kernel.
        if values.size == 0:
            continue
        low, high = np.min(values), np.max(values)
        if not (np.isfinite(low) and np.isfinite(high)):
            raise ConversionError("the network's activations are not finite")
        shape = (1,) * values.ndim
        known = ranges.setdefault(
            tensor["name"], {"min": low.reshape(shape), "max": high.reshape(shape)}
        )
        known["min"] = np.minimum(known["min"], low)
        known["max"] = np.maximum(known["max"], high)


def qat_tflite(model: Any) -> bytes:
    """Convert a quantization-aware Keras model to full-integer int8, input and output included.

    Raises:
        ConversionError: If the converter refuses an operation of the model.
    """
    import tensorflow as tf

    return converted_for_any_batch(
        model,
        optimizations=[tf.lite.Optimize.DEFAULT],
        inference_input_type=tf.int8,
        inference_output_type=tf.int8,
    )


def sparse_tflite(tflite: bytes) -> bytes | None:
    """Encode a file's sparse weights so that zeros are left out.

    By the pass that TensorFlow's converter ends with where it is asked for
    ``EXPERIMENTAL_SPARSITY``, on a file that is there already: converting the network once more
    takes seven times as long, and gives the same bytes for float32.

    Args:
        tflite: Of a scheme whose ``sparse_encoding`` is declared, of a pruned network.

    Returns:
        The file; None if the pass or the runtime cannot do it for this network.
    """
    from tensorflow.lite.python.convert import mlir_sparsify

    try:
        with quiet():
            sparse = canonical(bytes(mlir_sparsify(tflite)))
        invoke(load(sparse))
    except Exception:  # What a pass raises has no common class, as of the converter.
        return None
    return sparse
