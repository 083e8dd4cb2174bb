"""The API reference: every public name says what it is, with types, and with units where a number has one."""

import ast
import dataclasses
import enum
import inspect
import re
import subprocess
import sys
from pathlib import Path

import slim_bindings as sb
from slim_bindings import _unions

ROOT = Path(__file__).resolve().parents[2]
GENERATOR = ROOT / "tools" / "python-api"


def public():
    """Names and what they are, without modules and the second names of classes."""
    for name in dir(sb):
        value = getattr(sb, name)
        if name.startswith("_") or inspect.ismodule(value) or name == "Duration":
            continue
        if not inspect.isclass(value) or value.__name__ == name:
            yield name, value


def callables():
    """Functions and methods, by their full names."""
    for name, value in public():
        if not inspect.isclass(value):
            yield name, value
            continue
        for member in dir(value):
            function = getattr(value, member)
            is_ours = str(getattr(function, "__module__", "")).startswith("slim_bindings")
            if not member.startswith("_") and is_ours and callable(function) and not inspect.isclass(function):
                yield f"{name}.{member}", function


def classes():
    """Classes, those inside others too."""
    for name, value in public():
        if inspect.isclass(value):
            yield name, value
            for member, nested in vars(value).items():
                if inspect.isclass(nested) and not member.startswith("_"):
                    yield f"{name}.{member}", nested


def test_everything_has_a_docstring():
    found = [*callables(), *classes()]
    assert len(found) > 300
    # a dataclass without one has its signature
    missing = [
        name for name, value in found if not inspect.getdoc(value) or inspect.getdoc(value).startswith(name + "(")
    ]
    assert missing == []


def test_everything_has_types():
    untyped = []
    for name, function in callables():
        parameters = inspect.signature(function).parameters.values()
        plain = [p.name for p in parameters if p.annotation is p.empty and p.name not in ("self", "cls")]
        if plain or inspect.signature(function).return_annotation is inspect.Signature.empty:
            untyped.append((name, plain))
    assert untyped == []


def test_numbers_and_sizes_are_explained():
    """Times have a type of their own; whatever else is a number is named where it is used, or "As" something says where."""
    unexplained = []
    for name, function in callables():
        text = inspect.getdoc(function) or ""
        for parameter in inspect.signature(function).parameters.values():
            is_number = re.search(r"\bint\b", str(parameter.annotation))
            if is_number and not text.startswith(("As ", "Undo ")) and parameter.name not in text:
                unexplained.append(f"{name}({parameter.name})")
    for name, kind in classes():
        if dataclasses.is_dataclass(kind) and not issubclass(kind, enum.Enum):
            for field in dataclasses.fields(kind):
                if re.search(r"\bint\b", str(field.type)) and field.name not in (inspect.getdoc(kind) or ""):
                    unexplained.append(f"{name}.{field.name}")
    assert unexplained == []


def test_the_reference_has_every_name(tmp_path):
    out = tmp_path / "api.md"
    done = subprocess.run(
        [sys.executable, str(GENERATOR), str(out)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    text = out.read_text()
    headings = set(re.findall(r"^### (\w+)$", text, re.MULTILINE))
    assert {name for name, _ in public()} <= headings
    for line in ("- `endpoint: str`", "timeout: timedelta | None = None) -> ReceivedMessage`", "`GROUP` = 1"):
        assert line in text
    assert "object at 0x" not in text and "<class" not in text


def stub(name):
    """Classes of a stub of the package: name, and the syntax of its body."""
    tree = ast.parse((Path(sb.__file__).parent / name).read_text())
    return {node.name: node.body for node in tree.body if isinstance(node, ast.ClassDef)}


def inner(body, kind):
    return {node.name: node for node in body if isinstance(node, kind)}


def test_the_stub_of_unions_says_what_is_there():
    found = stub("_unions.pyi")
    made = {
        name: kind
        for name, kind in vars(_unions).items()
        if inspect.isclass(kind) and kind.__module__ == _unions.MODULE and not name.startswith("_")
    }
    assert set(found) == set(made) and len(made) >= 15
    for name, kind in made.items():
        body = found[name]
        if issubclass(kind, enum.Enum):
            assert {node.targets[0].id: node.value.value for node in body} == {m.name: m.value for m in kind}
            continue
        variants = {key: value for key, value in vars(kind).items() if inspect.isclass(value)}
        classes_of = inner(body, ast.ClassDef)
        assert set(classes_of) == set(variants)
        for variant, value in variants.items():
            fields = {
                n.target.id: ast.unparse(n.annotation) for n in classes_of[variant].body if isinstance(n, ast.AnnAssign)
            }
            assert fields == {field.name: field.type for field in dataclasses.fields(value)}, f"{name}.{variant}"
        assert set(inner(body, ast.FunctionDef)) == {member for member in dir(kind) if member.startswith("is_")}


def test_the_stub_of_errors_says_what_is_there():
    found = stub("_errors.pyi")
    variants = {name for name, value in vars(sb.SlimError).items() if inspect.isclass(value)}
    assert set(inner(found["SlimError"], ast.ClassDef)) == variants and len(variants) >= 10
    assert set(found) == {"SlimError", "InternalError"}
