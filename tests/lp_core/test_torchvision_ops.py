import subprocess
import sys


def _run(code: str) -> None:
    subprocess.run([sys.executable, "-c", code], check=True)


def test_torchvision_imports_after_it_whatever_the_build():
    _run("from lp_core import torchvision_ops; import torchvision.models, torchvision.datasets")


def test_declaring_again_and_after_torchvision_is_harmless():
    _run(
        "from lp_core import torchvision_ops as ops; ops.declare_missing_operators();"
        "import torchvision; ops.declare_missing_operators(); assert len(ops._declared) <= 1"
    )
