# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
"""The results of a run, as bench/bench has written them."""

import csv
import os
from collections import namedtuple

Figure = namedtuple('Figure', 'median least most rounds')
COLUMNS = ['section', 'keys', 'entries', 'spread', 'op', 'mode', 'unit', 'peer',
           'median', 'min', 'max', 'rounds', 'note']
KEY = COLUMNS[:7]

# Who must be in every table of a section.
REQUIRED = {
    'read': ['snapmap', 'snapmap-huge', 'absl', 'lmdb', 'lmdb-renew'],
    'commit': ['snapmap', 'snapmap-huge', 'absl', 'lmdb-renew'],
    'replace': ['snapmap', 'snapmap-huge', 'absl', 'lmdb-renew'],
    'memory': ['snapmap', 'absl', 'lmdb-renew', 'raw'],
    'beside': ['snapmap', 'snapmap (process)', 'lmdb-renew'],
    'readers': ['snapmap'],
    'visible': ['snapmap', 'lmdb-renew'],
    'pin': [],
    'hash': ['snapmap', 'xxh64', 'xxh3', 'siphash'],
}


class Bad(Exception):
    """What is wrong with the results."""


class Results:
    """All tables of a run, by the values of KEY, each from peers to figures."""

    def __init__(self, directory):
        self.tables = {}
        self.absent = {}
        with open(os.path.join(directory, 'results.tsv'), encoding='utf-8') as file:
            rows = csv.DictReader(file, delimiter='\t')
            if rows.fieldnames != COLUMNS:
                raise Bad(f'columns are {rows.fieldnames}')
            for row in rows:
                self._take(row)
        with open(os.path.join(directory, 'machine.tsv'), encoding='utf-8') as file:
            self.machine = [line.rstrip('\n').split('\t') for line in file]

    def _take(self, row):
        if None in row.values() or None in row:
            raise Bad(f'a line has not {len(COLUMNS)} columns: {row}')
        if row['rounds'] == '0':
            self.absent[row['peer']] = row['note']
            return
        figure = Figure(float(row['median']), float(row['min']), float(row['max']),
                        int(row['rounds']))
        if not 0 <= figure.least <= figure.median <= figure.most:
            raise Bad(f'no order in {row}')
        key = tuple(int(row[k]) if k == 'entries' else row[k] for k in KEY)
        table = self.tables.setdefault(key, {})
        if row['peer'] in table:
            raise Bad(f'twice: {row}')
        table[row['peer']] = figure

    def check(self):
        """Raises Bad when a peer is missing that should not be."""
        if not self.tables:
            raise Bad('there are no results')
        for key, table in self.tables.items():
            section, op, mode, unit = key[0], key[4], key[5], key[6]
            if mode == 'batched' or unit == 'x' or 'processes' in op:
                continue
            for peer in REQUIRED[section]:
                if peer not in table and peer not in self.absent:
                    raise Bad(f'{peer} is missing in {key}')
        for section in REQUIRED:
            if not any(key[0] == section for key in self.tables):
                raise Bad(f'section {section} is missing')

    def table(self, section, keys, entries, op, mode, unit, spread='uniform'):
        """One table; empty when it was not measured."""
        return self.tables.get((section, keys, entries, spread, op, mode, unit), {})

    def sizes(self, section, keys):
        """The sizes that a section was measured at."""
        return sorted({key[2] for key in self.tables if key[0] == section and key[1] == keys})
