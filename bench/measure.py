"""Runs one command and says what it cost: processor seconds, peak memory, bytes written to disk, wall clock."""
import os
import statistics
import subprocess
import sys
import time


def cost(command, **options):
    """Cost of a command that must succeed, its children included: what wait4(2) reports when it ends."""
    start = time.monotonic()
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, **options)
    talk = child.stderr.read()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        sys.stderr.buffer.write(talk[-2000:])
        raise SystemExit(f"error: {' '.join(command)} ended with {child.returncode}")
    return {
        "wall s": time.monotonic() - start,
        "CPU s": usage.ru_utime + usage.ru_stime,
        "peak MiB": usage.ru_maxrss / 1024,
        # Blocks of 512 bytes that were sent to the block layer on this process' account.
        "written MiB": usage.ru_oublock * 512 / 2**20,
    }


def medians(costs):
    """One cost out of several: the median of each figure."""
    return {figure: statistics.median(cost[figure] for cost in costs) for figure in costs[0]}


def machine():
    """One line: processor, cores, kernel, date."""
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        model = next((line.split(":", 1)[1].strip() for line in file if line.startswith("model name")), "unknown")
    return f"{model}, {os.cpu_count()} cores, Linux {os.uname().release}, {time.strftime('%Y-%m-%d')}"
