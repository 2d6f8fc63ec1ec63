"""`python -m gateway` is `privacy-gateway`."""

from gateway.cli import main

if __name__ == "__main__":
    main()
