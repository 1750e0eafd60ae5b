"""Every syntax class of libcst: a function with it is differentiated right, or refused at the line of the construct.

A class that a new libcst brings fails here until it has a snippet.
"""

from __future__ import annotations

import inspect
import textwrap

import libcst as cst
import numpy as np
import pytest

from flatgrad.calling.build import built
from flatgrad.errors import FlatgradError
from flatgrad.frontend.effects import EXPRESSION_STATEMENTS
from flatgrad.frontend.reader import EXPRESSIONS, STATEMENTS
from flatgrad.frontend.source import Source
from flatgrad.frontend.static import static_definition
from flatgrad.options import Options
from flatgrad.pipeline import emit
from flatgrad.signature import signature_of_arguments

HEAD = "import numpy as np\n\n\n"
X, S = np.array([0.3, -1.2, 2.5]), 1.7

# The statements of a function of an array x and a float s, before `return np.sum(y)`; or, where it begins with a `def`
# or another statement of a module, a whole text. The line that ends with `#!` is where the error has to be;
# without one, the function has to be differentiated.
SNIPPETS = {
    # literals and names
    "Name": "y = x * s",
    "Integer": "y = x * 3 + 0x1F",
    "Float": "y = x * 1e-2 + 1_0.5",
    "Imaginary": "y = abs(s + x * 2j)",
    "SimpleString": "'text'\ny = x * s",
    "ConcatenatedString": "'te' 'xt'\ny = x * s",
    "FormattedString": "print(f'{s}')\ny = x * s",
    "FormattedStringText": "print(f'is {s}')\ny = x * s",
    "FormattedStringExpression": "print(f'{s!r:>8}', f'{s = }')\ny = x * s",
    "TemplatedString": "z = s\nprint(t'{z}')  #!\ny = x * z",
    "TemplatedStringText": "z = s\nprint(t'is {z}')  #!\ny = x * z",
    "TemplatedStringExpression": "z = s\nprint(t'{z}')  #!\ny = x * z",
    "Ellipsis": "...\ny = x[...] * s",
    # operators
    "Add": "y = x + s",
    "Subtract": "y = x - s",
    "Multiply": "y = x * s",
    "Divide": "y = x / s",
    "FloorDivide": "y = x * (s // 0.3)",
    "Modulo": "y = x % s",
    "Power": "y = x ** 3 * 2 ** s",
    "MatrixMultiply": "y = (x @ x) * s",
    "LeftShift": "y = x * (1 << 2) * s",
    "RightShift": "y = x * (8 >> 2) * s",
    "BitAnd": "y = x * ((x > 0) & (x < 1)) * s",
    "BitOr": "y = x * ((x > 0) | (x < -1)) * s",
    "BitXor": "y = x * ((x > 0) ^ (x < -1)) * s",
    "BinaryOperation": "y = x + x * s",
    "UnaryOperation": "y = -x * s",
    "Minus": "y = -x * s",
    "Plus": "y = +x * s",
    "BitInvert": "y = x * ~(x > 0) * s",
    "Not": "y = x * (not s > 3)",
    "BooleanOperation": "y = x * (s > 1 and s < 2)",
    "And": "y = x * (s > 1 and s < 2)",
    "Or": "y = x * (s > 3 or s < 2)",
    "Comparison": "y = x * (0 < s < 5)",
    "ComparisonTarget": "y = x * (x > 0)",
    "LessThan": "y = x * (x < 1) * s",
    "LessThanEqual": "y = x * (x <= 1) * s",
    "GreaterThan": "y = x * (x > 1) * s",
    "GreaterThanEqual": "y = x * (x >= 1) * s",
    "Equal": "y = x * (x == 0.4) * s",
    "NotEqual": "y = x * (x != 0.4) * s",
    "Is": "y = x * s if s is None else x / s",
    "IsNot": "y = x * s if s is not None else x / s",
    "In": "y = x * s if x.ndim in (1, 2) else x / s",
    "NotIn": "y = x * s if x.ndim not in (1, 2) else x / s",
    "IfExp": "y = x * s if x.ndim == 1 else x / s",
    "NamedExpr": "y = (z := x * s) * z",
    # assignments
    "Assign": "y = z = x * s",
    "AssignTarget": "y = z = x * s",
    "AnnAssign": "y: np.ndarray = x * s",
    "Annotation": "y: np.ndarray = x * s",
    "AssignEqual": "y = np.sum(x * s, axis=0)",
    "AugAssign": "y = x * s\ny *= 2",
    "AddAssign": "y = x * s\ny += 2",
    "SubtractAssign": "y = x * s\ny -= x",
    "MultiplyAssign": "y = x * s\ny *= x",
    "DivideAssign": "y = x * s\ny /= 3 + x * x",
    "FloorDivideAssign": "z = s\nz //= 0.3\ny = x * z",
    "ModuloAssign": "y = x * s\ny %= 2.5",
    "PowerAssign": "y = x * s\ny **= 2",
    "MatrixMultiplyAssign": "y = np.outer(x, x) * s\ny @= np.outer(x, x)",
    "LeftShiftAssign": "k = 1\nk <<= 2\ny = x * k * s",
    "RightShiftAssign": "k = 8\nk >>= 2\ny = x * k * s",
    "BitAndAssign": "k = x > 0\nk &= x < 1\ny = x * k * s",
    "BitOrAssign": "k = x > 0\nk |= x < -1\ny = x * k * s",
    "BitXorAssign": "k = x > 0\nk ^= x < -1\ny = x * k * s",
    # tuples, lists, and what is not
    "Tuple": "y, z = x * s, x\ny = y * z",
    "List": "y = np.stack([x, x * s])",
    "Element": "y = np.stack((x, x * s))",
    "StarredElement": "y = np.stack([*(x, x), x * s])",
    "Set": "y = x * len({1, 2}) * s",
    "Dict": "y = {'x': x * s}['x']",
    "DictElement": "y = {'x': x * s}['x']",
    "StarredDictElement": "z = {'x': x}\ny = {**z, 's': s}\ny = y['x'] * y['s']",
    "ListComp": "y = np.stack([x * k * s for k in range(3)])",
    "GeneratorExp": "y = sum(x * k * s for k in range(3))",
    "SetComp": "y = x * len({k % 2 for k in range(3)}) * s",
    "DictComp": "y = {k: x * s for k in range(3)}[1]",
    "StarredDictComp": "z = s\ny = {**k for k in ()}  #!",
    "CompFor": "y = sum([x * k * s for k in (1, 2)])",
    "CompIf": "y = sum([x * k * s for k in range(4) if k > 1])",
    "Asynchronous": "async def f(x, s):  #!\n    return np.sum(x * s)",
    # calls, attributes, subscripts
    "Call": "y = np.exp(x * s)",
    "Arg": "y = np.exp(x * s)",
    "Attribute": "y = x.T * np.exp(s)",
    "Subscript": "y = x[0] * s",
    "SubscriptElement": "y = x[0] * x[1:] * s",
    "Index": "y = x[-1] * s",
    "Slice": "y = x[::2] * s",
    "Lambda": "z = s\ny = (lambda v: v * z)(x)",
    "Await": "async def f(x, s):  #!\n    return np.sum(await x)",
    "Yield": "z = s\ny = yield x  #!",
    # parameters
    "Parameters": "def f(x, s):\n    return np.sum(x * s)",
    "Param": "def f(x, s=1.0):\n    return np.sum(x * s)",
    "ParamSlash": "def f(x, /, s):\n    return np.sum(x * s)",
    "ParamStar": "def f(x, *, s):\n    return np.sum(x * s)",
    "Decorator": "def g(f):\n    return f\n\n@g  #!\ndef f(x, s):\n    return np.sum(x * s)",
    "TypeParameters": "def f[T](x, s):  #!\n    return np.sum(x * s)",
    "TypeParam": "def f[T](x, s):  #!\n    return np.sum(x * s)",
    "TypeVar": "def f[T](x, s):  #!\n    return np.sum(x * s)",
    "TypeVarTuple": "def f[*T](x, s):  #!\n    return np.sum(x * s)",
    "ParamSpec": "def f[**T](x, s):  #!\n    return np.sum(x * s)",
    # small statements
    "Expr": "s\n'text'\ny = x * s",
    "Pass": "pass\ny = x * s",
    "Return": "return np.sum(x * s)",
    "Assert": "assert s > 0, 'positive'\ny = x * s",
    "Del": "z = s\ny = x * z\ndel z",
    "Raise": "y = x * s\nif s > 100:\n    raise ValueError",
    "Import": "import math\ny = x * s * math.pi",
    "ImportFrom": "y = x * s\nfrom math import exp\ny = y * exp(s)",
    "ImportAlias": "import math as m\ny = x * m.exp(s)",
    "ImportStar": "from math import *\ndef f(x, s):\n    return np.sum(x * s)  #!",
    "LazyImport": "z = s\nlazy import math  #!\ny = x * z",
    "LazyImportFrom": "z = s\nlazy from math import exp  #!\ny = x * z",
    "AsName": "import math as m\ny = x * m.exp(s)",
    "Global": "global z\ny = x * s",
    "Nonlocal": "y = x * s\ndef g():\n    nonlocal s\n    return s\ny = x * g()",
    "NameItem": "global z\ny = x * s",
    "Break": "y = x * s\nfor k in range(3):\n    if k > s:\n        break\n    y = y * 2",
    "Continue": "y = x * s\nfor k in range(3):\n    if k > s:\n        continue\n    y = y * 2",
    "TypeAlias": "y = x * s\ntype V = float  #!",
    # compound statements
    "If": "if x.ndim == 1:\n    y = x * s\nelse:\n    y = x",
    "Else": "if x.ndim == 2:\n    y = x\nelse:\n    y = x * s",
    "For": "y = x * s\nfor k in range(3):\n    y = y * (k + 1)",
    "While": "y = x * s\nwhile s < 9:\n    s = s * 2\n    y = y * s",
    "With": "from flatgrad import insert_grad_of\n\ndef f(x, s):\n    y = x * s\n    with insert_grad_of(y) as dy:\n"
    "        dy = dy * 1.0\n    return np.sum(y)",
    "WithItem": "y = x * s\nwith np.errstate(all='ignore'):\n    y = y * 2",
    "Try": "y = x * s\ntry:\n    y = y * 2\nfinally:\n    pass",
    "Finally": "y = x * s\ntry:\n    y = y * 2\nfinally:\n    pass",
    "ExceptHandler": "y = x * s\ntry:\n    y = y * 2\nexcept ValueError:\n    raise",
    "TryStar": "y = x * s\ntry:  #!\n    y = y * 2\nexcept* ValueError:\n    pass",
    "ExceptStarHandler": "y = x * s\ntry:  #!\n    y = y * 2\nexcept* ValueError:\n    pass",
    "FunctionDef": "y = x * s\ndef g(v):\n    return v * s\ny = g(y)",
    "ClassDef": "y = x * s\nclass g:  #!\n    pass",
    "From": "z = s\ny = yield from x  #!",
    # match
    "Match": "y = x * s\nmatch s:\n    case 1.0:\n        y = x\n    case _:\n        y = x * y",
    "MatchCase": "y = x * s\nmatch s:\n    case 1.0:\n        y = x\n    case _:\n        y = x * y",
    "MatchValue": "y = x * s\nmatch s:\n    case 1.0:\n        y = x\n    case _:\n        y = x * y",
    "MatchSingleton": "y = x * s\nmatch s:\n    case None:\n        y = x",
    "MatchAs": "y = x * s\nmatch s:\n    case z:\n        y = x * z * z",
    "MatchOr": "y = x * s\nmatch s:\n    case 1 | 2:\n        y = x\n    case _:\n        y = x * y",
    "MatchOrElement": "y = x * s\nmatch s:\n    case 1 | 2:\n        y = x\n    case _:\n        y = x * y",
    "MatchList": "match (x, s):\n    case [y, z]:\n        y = y * z",
    "MatchTuple": "match (x, s):\n    case (y, z):\n        y = y * z",
    "MatchSequenceElement": "match (x, s):\n    case (y, z):\n        y = y * z",
    "MatchStar": "match (x, s):\n    case (y, *z):\n        y = y * z[0]",
    "MatchMapping": "match {'a': x, 'b': 1}:\n    case {'a': z, 'b': 1}:\n        y = z * s",
    "MatchMappingElement": "match {'a': x, 'b': 1}:\n    case {'a': z, **rest}:\n        y = z * s * rest['b']",
    "MatchClass": "y = x * s\nmatch s:\n    case float(real=1):  #!\n        y = x",
    "MatchKeywordElement": "y = x * s\nmatch s:\n    case float(real=1):  #!\n        y = x",
    # punctuation and layout
    "Comma": "y = np.stack((x, x * s,))",
    "Dot": "y = np.exp(x * s)",
    "Colon": "y = x[:] * s",
    "Semicolon": "y = x; y = y * s",
    "LeftParen": "y = (x * s)",
    "RightParen": "y = (x * s)",
    "LeftSquareBracket": "y = x[0] * s",
    "RightSquareBracket": "y = x[0] * s",
    "LeftCurlyBrace": "y = {'x': x}['x'] * s",
    "RightCurlyBrace": "y = {'x': x}['x'] * s",
    "Comment": "# a comment\ny = x * s  # another",
    "EmptyLine": "\n\ny = x * s\n",
    "Newline": "y = x * s\n",
    "SimpleWhitespace": "y   =   x * s",
    "ParenthesizedWhitespace": "y = (x\n    # inside\n    * s)",
    "TrailingWhitespace": "y = x * s   # behind",
    "SimpleStatementLine": "y = x * s",
    "SimpleStatementSuite": "if x.ndim == 1: y = x * s\nelse: y = x",
    "IndentedBlock": "if x.ndim == 1:\n    y = x * s\nelse:\n    y = x",
    "Module": "y = x * s",
}
# read as a part of what it stands in
PARTS = {"StarredElement"}


def concrete_classes():
    """Return the names of the syntax classes that appear in trees."""

    def below(base):
        for each in base.__subclasses__():
            yield each
            yield from below(each)

    return sorted(
        {
            each.__name__
            for each in below(cst.CSTNode)
            if each.__module__.startswith("libcst.") and not each.__subclasses__() and not inspect.isabstract(each)
        }
    )


def text_of(snippet):
    """Return the file with a snippet, and the line where its error has to be, or None."""
    if not snippet.startswith(("def ", "async ", "from ", "@")):
        returns = "" if "return np.sum(x * s)" in snippet else "\nreturn np.sum(y)"
        snippet = "def f(x, s):\n" + textwrap.indent(snippet + returns, "    ")
    text = HEAD + snippet + "\n"
    marked = [number for number, line in enumerate(text.split("\n"), 1) if line.endswith("#!")]
    return text, marked[0] if marked else None


def emitted(text):
    (definition,) = static_definition(Source("snippet.py", text), "f")
    arguments = {"x": X, "s": S}
    return emit(definition, signature_of_arguments(definition, arguments), Options())


def slopes(function):
    step = 1e-6
    by_x = [(function(X + step * row, s=S) - function(X - step * row, s=S)) / (2 * step) for row in np.eye(3)]
    return np.array(by_x), (function(X, s=S + step) - function(X, s=S - step)) / (2 * step)


@pytest.mark.parametrize("name", concrete_classes())
def test_every_syntax_class_is_differentiated_or_refused_at_its_line(name, capsys):
    """No construct is passed over in silence, and none ends in an error without a place."""
    assert name in SNIPPETS, "a syntax class without a snippet: say here what becomes of it"
    text, line = text_of(SNIPPETS[name])
    found = cst.parse_module(text)
    kinds = {type(node).__name__ for node in nodes_of(found)}
    assert name in kinds, f"the snippet has no {name}"
    if line is not None:
        with pytest.raises(FlatgradError) as error:
            emitted(text)
        assert [problem.line for problem in error.value.problems] == [line]
        assert error.value.problems[0].column
        return
    written = emitted(text)
    namespace = {}
    exec(text, namespace)
    value, gradients = built(written.text, "f")["f_value_and_grad"](X, s=S)
    assert value == namespace["f"](X, s=S)
    for gradient, expected in zip(gradients, slopes(namespace["f"]), strict=True):
        np.testing.assert_allclose(gradient, expected, rtol=1e-6, atol=1e-7)
    capsys.readouterr()


def nodes_of(node):
    yield node
    for child in node.children:
        yield from nodes_of(child)


def test_snippets_are_of_classes_that_there_are():
    """A class that libcst no longer has leaves no snippet behind; those of newer versions are allowed for."""
    newer = {"LazyImport", "LazyImportFrom", "StarredDictComp", "TemplatedString", "TemplatedStringText"}
    newer |= {"TemplatedStringExpression", "TypeAlias", "TypeParam", "TypeParameters", "TypeVar", "TypeVarTuple"}
    assert set(SNIPPETS) - set(concrete_classes()) <= newer | {"ParamSpec"}


@pytest.mark.parametrize("kind", [cst.BaseExpression, cst.BaseSmallStatement, cst.BaseCompoundStatement])
def test_what_is_differentiated_is_what_the_tables_list(kind):
    """The tables of the reader are the list of what is allowed: nothing else is read, and all of it is."""
    table = EXPRESSIONS if kind is cst.BaseExpression else STATEMENTS
    for name in concrete_classes():
        syntax = getattr(cst, name, None)
        if isinstance(syntax, type) and issubclass(syntax, kind) and name not in PARTS:
            listed = syntax in table or syntax in EXPRESSION_STATEMENTS
            allowed = text_of(SNIPPETS[name])[1] is None
            assert listed == allowed, name
