"""What every sampler, scheduler, launcher, tracker and reader must do, as suites of pytest to subclass.

The built-in ones pass the same suites. A plug-in's test names its class:

```python
from automl.testing.readers import ReaderContract

class TestMine(ReaderContract):
    ...
```
"""

from __future__ import annotations

try:
    import pytest
except ImportError as error:
    raise ImportError("automl.testing needs pytest: pip install pytest") from error

pytest.register_assert_rewrite(
    *(f"automl.testing.{name}" for name in ("samplers", "schedulers", "launchers", "trackers", "readers"))
)
