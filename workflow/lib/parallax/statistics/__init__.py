"""Pure estimators: numpy, scipy and numba in, frozen dataclasses out. No pandas, no files, no protocol."""
