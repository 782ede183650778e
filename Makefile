.PHONY: setup lock test check bench evaluate demo up down wipe
setup: ; @dev/setup.sh
lock:  ; @dev/lock.sh
test:  ; @dev/test.sh
check: ; @dev/check.sh
bench: ; @dev/setup.sh bench && .venv/bin/python -m bench
evaluate: ; @dev/evaluate.sh
demo:  ; @dev/demo.sh
up:    ; @dev/stack start
down:  ; @dev/stack stop
wipe:  ; @dev/stack wipe
