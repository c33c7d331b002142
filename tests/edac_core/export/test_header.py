import hashlib
import re
import shutil
import subprocess

import numpy as np
import pytest

from edac_core.errors import ModelError
from edac_core.export.header import array_text, c_header

COMPILERS = [name for name in ("cc", "c++") if shutil.which(name)]
PROGRAM = """
#include "model.h"
#include <stdio.h>
#include <stdint.h>
static const int shape[] = EDAC_MODEL_INPUT_SHAPE;
int main(void) {
  fwrite(edac_model, 1, edac_model_length, stdout);
  fprintf(stderr, "%d %d %s %d %.9g %d %d", (int)((uintptr_t)edac_model % 16),
          EDAC_MODEL_INPUT_RANK, EDAC_MODEL_INPUT_TYPE, shape[1], (double)EDAC_MODEL_INPUT_SCALE,
          EDAC_MODEL_INPUT_ZERO_POINT, EDAC_MODEL_THRESHOLD > 0.54f);
  return 0;
}
"""


def parsed(header):
    """Read a header as a compiler would: its macros, and the bytes of its array."""
    text = header.decode()
    array = re.search(r"edac_model\[(\d+)\] = \{(.*?)\};", text, re.DOTALL)
    content = bytes(int(value, 16) for value in array[2].split(","))
    assert len(content) == int(array[1])
    macros = dict(re.findall(r"#define (EDAC_MODEL_\w+) (.+)", text))
    return macros, content


@pytest.mark.parametrize("n", [0, 1, 15, 16, 17, 256, 1_000])
def test_the_array_is_the_bytes(n):
    data = np.random.default_rng(n).bytes(n)
    text = array_text(data).decode()
    assert bytes(int(value, 16) for value in re.findall(r"0x(..)", text)) == data
    assert max(map(len, text.splitlines()), default=0) <= 80


def test_it_tells_what_goes_in_and_comes_out(tiny_models):
    model = tiny_models["float32"]
    header = c_header(model, title="Tiny", threshold=0.54)
    macros, content = parsed(header)
    assert content == model
    assert f"SHA-256 of the .tflite file: {hashlib.sha256(model).hexdigest()}" in header.decode()
    assert macros["EDAC_MODEL_INPUT_SHAPE"] == "{1, 12, 8, 1}"
    assert macros["EDAC_MODEL_INPUT_TYPE"] == '"float32"'
    assert macros["EDAC_MODEL_OUTPUT_SHAPE"] == "{1, 1}"
    assert macros["EDAC_MODEL_INPUT_SCALE"] == "0.0f"
    assert macros["EDAC_MODEL_THRESHOLD"] == "0.54f"


def test_it_tells_how_input_and_output_are_quantised(fully_int8_model):
    macros, _ = parsed(c_header(fully_int8_model, title="Tiny", threshold=0.5))
    assert macros["EDAC_MODEL_INPUT_TYPE"] == macros["EDAC_MODEL_OUTPUT_TYPE"] == '"int8"'
    # A sigmoid's 0 to 1 in 256 steps from -128 on.
    assert float(macros["EDAC_MODEL_OUTPUT_SCALE"].rstrip("f")) == 1 / 256
    assert macros["EDAC_MODEL_OUTPUT_ZERO_POINT"] == "-128"
    assert float(macros["EDAC_MODEL_INPUT_SCALE"].rstrip("f")) > 0


def test_a_title_cannot_end_the_comment(tiny_models):
    header = c_header(tiny_models["int8"], title="a */ int b; /*", threshold=0.5).decode()
    assert header.index("*/") > header.index("Research, not a diagnosis.")


def test_what_is_no_model_is_a_sentence():
    with pytest.raises(ModelError, match="LiteRT cannot load"):
        c_header(b"no model", title="No model", threshold=0.5)


@pytest.mark.skipif(not COMPILERS, reason="there is no C compiler on the path")
@pytest.mark.parametrize("compiler", COMPILERS)
def test_a_compiler_reads_it(compiler, tiny_models, tmp_path):
    model = tiny_models["int8"]
    (tmp_path / "model.h").write_bytes(c_header(model, title="Tiny", threshold=0.541))
    source = tmp_path / ("main.c" if compiler == "cc" else "main.cc")
    source.write_text(PROGRAM)
    command = [compiler, "-Wall", "-Wextra", "-Werror", str(source), "-o", str(tmp_path / "main")]
    subprocess.run(command, check=True, capture_output=True)
    done = subprocess.run([str(tmp_path / "main")], check=True, capture_output=True)
    assert done.stdout == model
    assert done.stderr.decode() == "0 4 float32 12 0 0 1"
