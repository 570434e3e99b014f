"""Arm's Ethos-U accelerators, through their own compiler, Vela (``ethos-u-vela``).

Vela compiles a fully quantized ``.tflite`` for one accelerator and estimates, cycle by cycle,
what an inference takes. It compresses weights, so that pruned ones take less flash and less
time to load: pruning pays in both objectives. The same file always gives the same figures.

Unless said otherwise, a device runs at 500 MHz with its weights in off-chip flash (0.5 GB/s) and
all else in SRAM, which it shares with the processor (Vela's memory mode ``Shared_Sram``):

=========  ============================  =====================
family     system configuration          SRAM bandwidth
=========  ============================  =====================
ethos-u55  Ethos_U55_High_End_Embedded   4 GB/s
ethos-u65  Ethos_U65_Embedded            8 GB/s
ethos-u85  Ethos_U85_SYS_Flash_High      16 GB/s
=========  ============================  =====================

Other systems are devices of one's own, such as ``EthosU("ethos-u55-128",
system_config="Ethos_U55_Deep_Embedded")`` in a file of one's own.
"""

from __future__ import annotations

import csv
import importlib.util
import tempfile
from configparser import ConfigParser
from functools import cache, lru_cache
from importlib.metadata import version
from pathlib import Path

from spaces.config.schemes import QuantizationScheme
from spaces.errors import ConversionError, DeviceError
from workers.devices.device import Device, Measurement, modelled_latency
from workers.devices.vela_process import VelaProcess

SYSTEM_CONFIGS = {
    "ethos-u55": "Ethos_U55_High_End_Embedded",
    "ethos-u65": "Ethos_U65_Embedded",
    "ethos-u85": "Ethos_U85_SYS_Flash_High",
}
"""Vela's system configuration by family, unless another is named."""

MEMORY_MODE = "Shared_Sram"
CONFIG_FILE = "Arm/vela.ini"
"""Comes with Vela; its text says what each system and memory mode is."""

ACCELERATORS = (
    *(f"ethos-u55-{macs}" for macs in (32, 64, 128, 256)),
    *(f"ethos-u65-{macs}" for macs in (256, 512)),
    *(f"ethos-u85-{macs}" for macs in (128, 256, 512, 1024, 2048)),
)
"""What Vela compiles for: family, and multiply-accumulates a cycle."""

_VELA = VelaProcess()
_COMMAND_STREAM = "ethos-u"  # Name of the operator that stands for all that the NPU runs.


class EthosU(Device):
    """One accelerator in one system.

    Args:
        accelerator: One of :data:`ACCELERATORS`.
        system_config: Section ``System_Config.*`` of the file: clock and memories.
        memory_mode: Section ``Memory_Mode.*`` of the file: what lies in which memory.
        config_file: Vela's file of systems, or one of your own.
        name: What latencies are stored under; None for the accelerator's, with the system and
            the memory mode if they are not the usual ones.

    Raises:
        DeviceError: If there is no such accelerator.
    """

    schemes = (QuantizationScheme.INT8, QuantizationScheme.INT16X8, QuantizationScheme.QAT_INT8)
    tells_flash = True
    tells_ram = True
    compiles = True

    def __init__(
        self,
        accelerator: str,
        *,
        system_config: str | None = None,
        memory_mode: str = MEMORY_MODE,
        config_file: str = CONFIG_FILE,
        name: str | None = None,
    ) -> None:
        if accelerator not in ACCELERATORS:
            raise DeviceError(
                f"Unknown accelerator {accelerator!r}. Known accelerators: "
                f"{', '.join(ACCELERATORS)}."
            )
        usual = SYSTEM_CONFIGS[accelerator.rpartition("-")[0]]
        self._system_config = system_config or usual
        self._accelerator = accelerator
        self._memory_mode = memory_mode
        self._config_file = config_file
        self.name = name or accelerator
        if name is None and (self._system_config, memory_mode) != (usual, MEMORY_MODE):
            self.name = f"{accelerator} ({self._system_config}, {memory_mode})"

    def check(self) -> None:
        """Raise ``DeviceError`` if Vela is not installed, or does not know the system."""
        package = importlib.util.find_spec("ethosu")
        if package is None:
            raise DeviceError(
                f"Device {self.name!r} needs Arm's compiler. Install it: "
                f"pip install 'litefront[ethos-u]'"
            )
        folders = [
            Path(folder) / "config_files" for folder in package.submodule_search_locations or ()
        ]
        known = ConfigParser()
        if not known.read(
            [self._config_file, *(folder / self._config_file for folder in folders)]
        ):
            raise DeviceError(f"Device {self.name!r}: there is no file {self._config_file!r}.")
        for kind, name in (
            ("System_Config", self._system_config),
            ("Memory_Mode", self._memory_mode),
        ):
            if f"{kind}.{name}" not in known:
                names = [s.partition(".")[2] for s in known.sections() if s.startswith(kind)]
                raise DeviceError(
                    f"Device {self.name!r}: no {kind} {name!r} in {self._config_file}. Known: "
                    f"{', '.join(names)}."
                )

    def measure(self, tflite: bytes) -> Measurement:
        """Compile a model.

        Flash is the whole compiled file, which is what goes on the device. RAM is all SRAM
        that the accelerator uses, without what the processor's own program takes.

        Raises:
            ConversionError: If Vela cannot compile it, or leaves operators to the processor,
                whose time it does not know.
        """
        return _compile(
            tflite,
            self.name,
            self._accelerator,
            self._system_config,
            self._memory_mode,
            self._config_file,
        )


def ethos_u_devices() -> tuple[EthosU, ...]:
    """Return every accelerator in its usual system."""
    return tuple(EthosU(accelerator) for accelerator in ACCELERATORS)


@lru_cache(maxsize=8)  # The gate and the race ask for the same untrained model.
def _compile(
    tflite: bytes,
    name: str,
    accelerator: str,
    system_config: str,
    memory_mode: str,
    config_file: str,
) -> Measurement:
    with tempfile.TemporaryDirectory(prefix="search-vela-") as folder:
        source = Path(folder) / "model.tflite"
        source.write_bytes(tflite)
        said = _VELA.run(
            [
                str(source),
                f"--accelerator-config={accelerator}",
                f"--config={config_file}",
                f"--system-config={system_config}",
                f"--memory-mode={memory_mode}",
                f"--output-dir={folder}",
            ],
        )
        compiled = source.with_name("model_vela.tflite").read_bytes()
        (summary_file,) = Path(folder).glob("model_summary_*.csv")
        with summary_file.open(newline="") as lines:
            (summary,) = csv.DictReader(lines)
    left = _processor_operators(compiled)
    if left:
        reasons = [line.removeprefix("Reason: ") for line in said if line.startswith("Reason: ")]
        why = f" ({reasons[0]})" if reasons else ""
        raise ConversionError(
            f"{name} leaves {', '.join(left)} to the processor, whose time nobody knows{why}"
        )
    clock_mhz = float(summary["core_clock"]) / 1e6
    return Measurement(
        latency=modelled_latency(
            float(summary["inference_time"]) * 1e3,
            name,
            f"ethos-u-vela {_vela_version()} ({system_config}, {memory_mode}, {clock_mhz:g} MHz)",
        ),
        flash_bytes=len(compiled),
        ram_bytes=round(float(summary["sram_memory_used"]) * 1024),
        compiled=compiled,
    )


def _processor_operators(compiled: bytes) -> list[str]:
    """Return names of the operators of a compiled file that the accelerator does not run."""
    from workers.conversion.flatbuffer import operators, read_model

    names = {name for _, name, _ in operators(read_model(compiled))}
    return sorted(names - {_COMMAND_STREAM})


@cache
def _vela_version() -> str:
    return version("ethos-u-vela")
