.PHONY: setup lock test check bench demo up down wipe
setup: ; @dev/setup.sh
lock:  ; @dev/lock.sh
test:  ; @dev/test.sh
check: ; @dev/check.sh
bench: ; @dev/setup.sh bench && .venv/bin/python -m bench
demo:  ; @dev/demo.sh
up:    ; @dev/stack start
down:  ; @dev/stack stop
wipe:  ; @dev/stack wipe
