"""Errors of Python as those of the contract."""

import errno
import os

from componentize_py_types import Err
from wit_world.imports import types

_DENIED = {errno.EACCES, errno.EPERM, errno.EROFS}
_LIMITED = {errno.EDQUOT, errno.EFBIG, errno.ENOMEM, errno.ENOSPC}


def is_there(path: str) -> bool:
    """As `os.path.exists`, which says of what it may not look at that it is not there."""
    try:
        os.stat(path)
    except FileNotFoundError:
        return False
    return True


class contract_error:
    """Raises what the operating system says as an error of the contract. Others are faults of the guest and stay so.

    It is no generator with `contextlib`, which sets an attribute of the error, and those of the contract are frozen.
    """

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type | None, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, OSError):
            raise Err(_of(error)) from error


def _of(error: OSError) -> types.Error:
    message = str(error)
    if error.errno == errno.ENOENT:
        return types.Error_NotFound([])
    if error.errno in _DENIED:
        return types.Error_AccessDenied(message)
    if error.errno == errno.EEXIST:
        return types.Error_Conflict(message)
    if error.errno in _LIMITED:
        return types.Error_LimitExceeded(message)
    return types.Error_Other(types.OtherError("io", message, False))
