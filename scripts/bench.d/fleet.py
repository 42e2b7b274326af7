#!/usr/bin/env python3
"""P1 to P4 and P12 of scripts/bench: what a fleet costs the converger, side by side with a kube-rs Controller.

usage: fleet.py OURS PEER LIMIT PAIRS LIST JSON

OURS is the bench `fleet` of wpaas-core, PEER is kube-bench, LIMIT is phys-bench: what comparing bare maps costs. They run one
after the other, so many times; of the ratios the median counts. A second table sets the cost at each size side by side.
"""

import json
import re
import statistics
import subprocess
import sys

GOALS = {"p1": 1 / 10, "p2": 1 / 8, "p3": 1 / 10, "p4": 1 / 5, "p4-sites": 1 / 5, "p12": 15}


def output(command):
    """What a program prints."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=600)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}: {done.stderr or done.stdout}")
    return done.stdout


def run(command, *wanted):
    """The numbers that a program prints under these names."""
    printed, found = output(command), []
    for name in wanted:
        # Not the end of another's name, such as cpu_us_per_obj.
        values = re.findall(rf"(?<!\w){re.escape(name)}[ =]([0-9.]+)", printed)
        if not values:
            sys.exit(f"{' '.join(map(str, command))} tells no {name}: {printed}")
        found.append(float(values[-1]))
    return found


def once(measure, ours, peer, sites):
    """Ours and the peer's, in the same unit."""
    if measure == "p1":
        return run([ours, "pass", sites], "pass_us_per_site")[0], run([peer, "children", sites, 6, 3], "us_per_obj")[0]
    if measure == "p2":
        child, parent = run([peer, "children", sites, 6, 1], "heap_per_child", "settled heap_B_per_obj")
        return run([ours, "memory", sites], "heap_bytes_per_site")[0], 6 * child + parent
    if measure == "p3":
        return run([ours, "drift", sites], "drift_us_p50")[0], run([peer, "drift", sites, 1000], "drift us p50")[0]
    if measure == "p4":
        parts, started = run([peer, "children", sites, 6, 1], "children_list_s", "s")
        return run([ours, "start", sites], "start_s")[0], parts + started
    if measure == "p4-sites":
        return run([ours, "start", sites], "start_s")[0], run([peer, "startup", sites], "s")[0]
    micros = run([peer, "resync", sites, 3], "cpu_us_per_obj")[0]
    return run([ours, "idle", sites], "idle_ms_per_10s")[0], micros * sites / 1000


def least(measure, limit, sites):
    """What phys-bench, which compares numbers in maps, takes for the same: nothing can be quicker, or smaller."""
    if measure == "p1":
        name = "1:K group into HashMap<site,(start,len)> + compare all"
        found = re.search(rf"{re.escape(name)} .*median +([0-9.]+) ms", output([limit, sites, 6]))
        return float(found[1]) * 1000 / sites
    if measure == "p2":
        return run([limit, sites, 6], "packed obs")[0]
    return None


SIZES = (1_000, 10_000, 100_000)
WHAT = {
    "p1": ("P1 pass over converged sites", "us a site", SIZES),
    "p2": ("P2 heap", "bytes a site", SIZES),
    "p3": ("P3 drift to plan, p50", "us", SIZES),
    "p4": ("P4 cold start, 6 parts a site", "s", SIZES),
    "p4-sites": ("P4 kube-rs without the parts", "s", SIZES),
    "p12": ("P12 idle, of 10 s", "ms", (10_000,)),
}


def number(value):
    return f"{value:,.0f}" if value >= 1000 else f"{value:.4g}"


def show(rows):
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())


def at_each_size(results):
    """The cost at each size, and how much of it there is at the largest for each of the smallest's: 1 is flat."""
    rows = [("at each size", *(f"{sites:,} sites" for sites in SIZES), "largest / smallest")]
    for measure, (name, unit, sizes) in WHAT.items():
        if measure == "p4-sites":
            continue  # Ours is that of p4.
        # Seconds of a start are of the whole fleet.
        scale = {sites: 1e6 / sites if measure == "p4" else 1 for sites in sizes}
        mine = [result["ours"] * scale[result["sites"]] for result in results if result["measure"] == measure]
        if len(mine) == len(SIZES):
            unit = "us a site" if measure == "p4" else unit
            rows.append((f"{name}, {unit}", *map(number, mine), f"{mine[-1] / mine[0]:.2f}"))
    return rows


def main():
    ours, peer, limit, pairs, wanted, target = sys.argv[1:]
    rows, results = [("measure", "sites", "ours", "kube-rs", "ratio", "goal", "", "phys-bench")], []
    for measure in [measure for measure in WHAT if measure.split("-")[0] in wanted.split(",")]:
        name, unit, sizes = WHAT[measure]
        for sites in sizes:
            runs = [once(measure, ours, peer, sites) for _ in range(int(pairs))]
            mine, theirs = (statistics.median(side) for side in zip(*runs))
            ratio, bare = statistics.median(a / b for a, b in runs), least(measure, limit, sites)
            met = (mine if measure == "p12" else ratio) <= GOALS[measure]
            goal = f"<= {GOALS[measure]:g}" + (" ms" if measure == "p12" else "")
            rows.append((name, f"{sites:,}", f"{number(mine)} {unit}", number(theirs), f"{ratio:.3f}", goal,
                         "met" if met else "NOT MET", number(bare) if bare else ""))
            results.append({"measure": measure, "sites": sites, "unit": unit, "runs": runs, "ours": mine, "ratio": ratio,
                            "met": met, "phys-bench": bare})
            print(f"    {name}, {sites:,} sites: {runs}", flush=True)
    show(rows)
    sized = at_each_size(results)
    if len(sized) > 1:
        print()
        show(sized)
    if target:
        with open(target, "w", encoding="utf-8") as file:
            json.dump(results, file, indent=1)


main()
