"""Which targets are there? Each is one file of this folder, which says so in TARGET."""

from importlib import import_module
from pkgutil import iter_modules

from projections.scoring.target import Target

TARGETS: dict[str, Target] = {
    target.name: target
    for target in (
        import_module(f"{__name__}.{found.name}").TARGET for found in sorted(iter_modules(__path__))
    )
}
