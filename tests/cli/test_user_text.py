"""What stands in the user's file comes out as text, whatever it looks like, in a module that is right."""

from pathlib import Path

import numpy as np
import pytest

from flatgrad.cli import main

HOSTILE = (
    r'''import numpy as np


def f(x: "{{ 7 * 7 }}", y: 'float"""' = 2.0):
    """Ends \""" early, {{ x }} {% for %} {# gone #} \\ and \n
    '''
    + "'''"
    + r'''; import os; os._exit(3) # \N{BULLET} \x22\x22\x22
    """
    z = x * y  # """ {{ 1 / 0 }} {% raise %} \
    # {% endraw %} """
    return z * 2
'''
)


def test_hostile_text_comes_out_as_text(file, capsys):
    Path("f.py").write_text(HOSTILE)
    assert main(["emit", "f.py"]) == 0, capsys.readouterr().err
    out = capsys.readouterr().out
    assert "{{ 1 / 0 }} {% raise %}" in out
    assert "{{ x }} {% for %} {# gone #}" in out
    namespace = {}
    exec(compile(out, "out.py", "exec"), namespace)
    assert set(namespace) - {"__builtins__", "__doc__", "np"} == {"f_value_and_grad"}
    assert namespace["f_value_and_grad"](3.0, 5.0) == (30.0, (10.0, 6.0))


@pytest.mark.parametrize("name", ['a""".py', "a\\.py", "{{ 7 * 7 }}.py", "a\nimport os.py", '"""; raise SystemExit.py'])
def test_hostile_file_name_comes_out_as_text(file, capsys, name):
    Path(name).write_text("def square(x: float):\n    return x * x\n")
    assert main(["emit", name]) == 0
    namespace = {}
    exec(compile(capsys.readouterr().out, "out.py", "exec"), namespace)
    assert set(namespace) - {"__builtins__", "__doc__"} == {"square_value_and_grad"}
    assert "49" not in namespace["__doc__"]


def test_emitted_module_is_right(file, capsys):
    Path("f.py").write_text("import numpy as np\n\n\ndef f(X, w):\n    return np.sum(np.tanh(X @ w) ** 2)\n")
    assert main(["emit", "f.py", "--shapes", "X=(n,d) w=(d,)"]) == 0
    namespace = {}
    exec(capsys.readouterr().out, namespace)
    rng = np.random.default_rng(0)
    X, w, move = rng.standard_normal((4, 3)), rng.standard_normal(3), 1e-6 * rng.standard_normal(3)
    _, (_, grad_w) = namespace["f_value_and_grad"](X, w)
    difference = namespace["f_value_and_grad"](X, w + move)[0] - namespace["f_value_and_grad"](X, w - move)[0]
    np.testing.assert_allclose(2 * grad_w @ move, difference, rtol=1e-6)
