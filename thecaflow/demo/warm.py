"""`python -m thecaflow.demo.warm`: compile the kernels into the cache."""

from thecaflow.settings import use_numba_cache


def main() -> None:
    """Compile, or find that everything is compiled."""
    use_numba_cache()
    from kernels import step  # noqa: PLC0415 - the cache's folder is said before numba is imported

    step.warm()


if __name__ == "__main__":
    main()
