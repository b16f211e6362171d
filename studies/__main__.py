"""`python -m studies`, the same as `tnqml`."""

from studies.cli import main

if __name__ == "__main__":
    main()
