"""Errors of Python as those of the contract."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from componentize_py_types import Err
from wit_world.imports import types

_DENIED = {errno.EACCES, errno.EPERM, errno.EROFS}
_LIMITED = {errno.EDQUOT, errno.EFBIG, errno.ENOMEM, errno.ENOSPC}


@contextmanager
def contract_error() -> Iterator[None]:
    """Raises what the operating system says as an error of the contract. Others are faults of the guest and stay so."""
    try:
        yield
    except OSError as error:
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
