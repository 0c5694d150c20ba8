"""Takes one megabyte of memory every tenth of a second, for ever."""

import time

hoard = []
while True:
    hoard.append(bytearray(1 << 20))
    print(f"holding {len(hoard)} MB", flush=True)
    time.sleep(0.1)
