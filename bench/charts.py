# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
"""SVG charts, drawn by gnuplot."""

import os
import subprocess

COLOURS = {
    'snapmap': '#c0392b', 'snapmap-huge': '#e67e22', 'snapmap-inline': '#f1948a', 'absl': '#2c3e50',
    'lmdb': '#2980b9', 'lmdb-renew': '#2980b9', 'lfht-qsbr': '#8e44ad', 'glib': '#7f8c8d', 'cdb': '#16a085',
    'bpf-hash': '#d4ac0d', 'go-sync': '#27ae60', 'go-rwmutex': '#52be80', 'rcu-absl': '#5d6d7e',
    'limit-1': '#bbbbbb',
}


def quoted(text):
    """As a string of gnuplot's."""
    return '"' + text.replace('"', "'") + '"'


def lines_of(path, title, unit, series):
    """A script for lines over the number of entries; @series: peer -> [(entries, Figure)]."""
    script = [
        'set terminal svg size 720,480 font "sans,12" background "white"',
        f'set output {quoted(path)}', f'set title {quoted(title)}',
        'set logscale xy', 'set xlabel "entries"', f'set ylabel {quoted(unit)}',
        'set format x "10^{%L}"', 'set key outside right', 'set grid ytics',
    ]
    plots = []
    for number, (peer, points) in enumerate(series.items()):
        script.append(f'$data{number} << EOD')
        script += [f'{entries} {f.median} {f.least} {f.most}' for entries, f in points]
        script.append('EOD')
        style = f'lc rgb {quoted(COLOURS[peer])} lw 2 pt 7 ps 0.6'
        plots.append(f'$data{number} using 1:2:3:4 with yerrorlines {style} title {quoted(peer)}')
    script.append('plot ' + ', \\\n'.join(plots))
    return '\n'.join(script) + '\n'


def draw_lines(results, directory, name, title, place):
    """@place: arguments of Results.table(), entries left out."""
    section, keys, op, mode, unit = place
    series = {}
    for entries in results.sizes(section, keys):
        table = results.table(section, keys, entries, op, mode, unit)
        for peer, figure in table.items():
            if peer in COLOURS:
                series.setdefault(peer, []).append((entries, figure))
    if not series:
        return None
    path = os.path.join(directory, name)
    subprocess.run(['gnuplot'], input=lines_of(path, title, unit, series), text=True, check=True)
    return name, title


def draw_all(results, directory):
    """Returns (file name, title) of each."""
    wanted = [
        ('get-binary.svg', 'Independent gets, 16-byte keys',
         ('read', 'binary', 'hit', 'independent', 'ns')),
        ('get-strings.svg', 'Independent gets, strings',
         ('read', 'strings', 'hit', 'independent', 'ns')),
        ('get-dependent.svg', 'Dependent gets, 16-byte keys',
         ('read', 'binary', 'hit', 'dependent', 'ns')),
        ('miss-binary.svg', 'Missing keys, 16-byte keys',
         ('read', 'binary', 'miss', 'independent', 'ns')),
        ('commit-1.svg', 'Commits of 1 key, back to back',
         ('commit', 'binary', '1 keys', 'back to back', 'us')),
        ('commit-100.svg', 'Commits of 100 keys, back to back',
         ('commit', 'binary', '100 keys', 'back to back', 'us')),
    ]
    drawn = [draw_lines(results, directory, *chart) for chart in wanted]
    return [chart for chart in drawn if chart]
