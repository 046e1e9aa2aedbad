# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
"""What snapmap is to reach, and what it has reached."""

from collections import namedtuple

# A measured figure is good when it is at most, or at least, the limit.
Target = namedtuple('Target', 'what at_most limit figure')

SIZES = [1000, 100000, 1000000, 10000000]
MILLION = 1000000
PINNED = 'snapmap'  # that is measured with a pin


def median(table, peer):
    """None when it was not measured."""
    return table[peer].median if peer in table else None


def quotient(over, under):
    """None when one of them is."""
    return over / under if over is not None and under else None


class Measure:
    """Looks figures up for one way to map snapmap's arena: its peer's name."""

    def __init__(self, results, name):
        self.results = results
        self.name = name

    def get(self, keys, entries, mode, op='hit'):
        """A look-up, as a multiple of Abseil's."""
        table = self.results.table('read', keys, entries, op, mode, 'ns')
        return quotient(median(table, self.name), median(table, 'absl'))

    def worst_get(self, entries, mode):
        """The same, for the worse kind of keys."""
        figures = [self.get(keys, entries, mode) for keys in ('binary', 'strings')]
        return max((f for f in figures if f is not None), default=None)

    def least_over(self, peer, mode='independent'):
        """How much longer a peer takes, at the size where that is least."""
        figures = []
        for entries in SIZES:
            table = self.results.table('read', 'binary', entries, 'hit', mode, 'ns')
            figures.append(quotient(median(table, peer), median(table, self.name)))
        return min((f for f in figures if f is not None), default=None)

    def batched(self, keys, entries=MILLION):
        """A key of snapmap_get_many() as a multiple of Abseil's single get."""
        table = self.results.table('read', keys, entries, 'hit', 'batched', 'ns')
        return quotient(median(table, self.name), median(table, 'absl (single)'))

    def batched_own(self):
        """The same as a multiple of snapmap's single get, where that is worst."""
        figures = []
        for keys in ('binary', 'strings'):
            for entries in SIZES:
                table = self.results.table('read', keys, entries, 'hit', 'batched', 'ns')
                figures.append(quotient(median(table, self.name),
                                        median(table, self.name + ' (single)')))
        return max((f for f in figures if f is not None), default=None)

    def commit(self, size, mode='back to back', entries=MILLION):
        """A commit as a multiple of LMDB's."""
        table = self.results.table('commit', 'binary', entries, f'{size} keys', mode, 'us')
        return quotient(median(table, self.name), median(table, 'lmdb-renew'))

    def commit_spread(self):
        """The dearest commit of one key as a multiple of the cheapest, over all sizes."""
        figures = []
        for entries in SIZES:
            table = self.results.table('commit', 'binary', entries, '1 keys', 'back to back', 'us')
            figures.append(median(table, self.name))
        if None in figures:
            return None
        return max(figures) / min(figures)

    def replace(self):
        """Whole replacement as a multiple of filling a reserved Abseil table."""
        table = self.results.table('replace', 'binary', MILLION, 'all', 'without preparation',
                                   'ms', '-')
        return quotient(median(table, self.name), median(table, 'absl'))

    def memory(self, op, spread):
        """Bytes as a multiple of those of keys and values."""
        table = self.results.table('memory', 'binary', MILLION, op, '-', 'B/entry', spread)
        return quotient(median(table, self.name), median(table, 'raw'))

    def beside(self, child=''):
        """A reader's rate beside a writer as a multiple of its quiet rate."""
        table = self.results.table('beside', 'binary', MILLION, '1 key', 'independent', 'x')
        return quotient(1, median(table, self.name + child))

    def readers(self, op):
        """Two readers' rate as a multiple of one's."""
        table = self.results.table('readers', 'binary', MILLION, op, 'independent', 'x')
        return median(table, self.name)

    def pin_blocks(self):
        """Blocks that a pin holds as a multiple of those that differ."""
        if self.name != PINNED:
            return None
        table = self.results.table('pin', 'binary', MILLION, 'blocks', '-', 'blocks')
        return quotient(median(table, 'held'), median(table, 'differ'))

    def pin_time(self):
        """A commit's time with a pin as a multiple of that without."""
        if self.name != PINNED:
            return None
        table = self.results.table('pin', 'binary', MILLION, 'commit of 1 key', '-', 'x')
        return median(table, 'with a pin')


TARGETS = [
    Target('get, 1e6, dependent, 16-byte keys, of Abseil\'s', True, 1.0,
           lambda m: m.get('binary', MILLION, 'dependent')),
    Target('get, 1e6, dependent, strings, of Abseil\'s', True, 1.0,
           lambda m: m.get('strings', MILLION, 'dependent')),
    Target('get, 1e6, independent, 16-byte keys, of Abseil\'s', True, 1.5,
           lambda m: m.get('binary', MILLION, 'independent')),
    Target('get, 1e6, independent, strings, of Abseil\'s', True, 1.0,
           lambda m: m.get('strings', MILLION, 'independent')),
    Target('get, 1e5, independent, the worse kind of keys, of Abseil\'s', True, 2.5,
           lambda m: m.worst_get(100000, 'independent')),
    Target('get, 1e5, dependent, the worse kind of keys, of Abseil\'s', True, 1.5,
           lambda m: m.worst_get(100000, 'dependent')),
    Target('get, 1e3, independent, the worse kind of keys, of Abseil\'s', True, 2.5,
           lambda m: m.worst_get(1000, 'independent')),
    Target('get, 1e3, dependent, the worse kind of keys, of Abseil\'s', True, 1.5,
           lambda m: m.worst_get(1000, 'dependent')),
    Target('LMDB\'s get, at the size where it is least, of snapmap\'s', False, 7.0,
           lambda m: m.least_over('lmdb')),
    Target('the same, dependent', False, 3.0, lambda m: m.least_over('lmdb', 'dependent')),
    Target('sync.Map\'s get, likewise', False, 4.0, lambda m: m.least_over('go-sync')),
    Target('a bpf(2) look-up, likewise', False, 10.0, lambda m: m.least_over('bpf-hash')),
    Target('lfht\'s get (QSBR), likewise', False, 2.0, lambda m: m.least_over('lfht-qsbr')),
    Target('snapmap_get_many, 16 keys, 1e6, 16-byte keys, of Abseil\'s single get', True, 0.8,
           lambda m: m.batched('binary')),
    Target('the same, strings', True, 0.6, lambda m: m.batched('strings')),
    Target('the same, where it is worst, of snapmap\'s single get', True, 1.0,
           lambda m: m.batched_own()),
    Target('a missing key, 1e6, 16-byte keys, of Abseil\'s', True, 2.0,
           lambda m: m.get('binary', MILLION, 'independent', 'miss')),
    Target('a missing key, 1e6, strings, of Abseil\'s', True, 2.0,
           lambda m: m.get('strings', MILLION, 'independent', 'miss')),
    Target('rate beside 1,000 commits a second, of the quiet rate', False, 0.95,
           lambda m: m.beside()),
    Target('the same, of a process of its own', False, 0.95, lambda m: m.beside(' (process)')),
    Target('rate of two readers, threads, of one\'s', False, 1.9,
           lambda m: m.readers('2 threads')),
    Target('rate of two readers, processes, of one\'s', False, 1.9,
           lambda m: m.readers('2 processes')),
    Target('commit of 1 key, 1e6, of LMDB\'s', True, 0.4, lambda m: m.commit(1)),
    Target('commit of 1 key, the dearest size of 1e3 to 1e7, of the cheapest', True, 3.0,
           lambda m: m.commit_spread()),
    Target('commit of 100 keys, 1e6, of LMDB\'s', True, 0.5, lambda m: m.commit(100)),
    Target('commit of 1 key, 1e6, at 1,000 a second, of LMDB\'s', True, 0.6,
           lambda m: m.commit(1, '1,000 a second')),
    Target('whole replacement, 1e6, of filling a reserved Abseil table', True, 1.2,
           lambda m: m.replace()),
    Target('memory, 1e6, after a load, of the raw bytes', True, 1.6,
           lambda m: m.memory('after a load', '-')),
    Target('memory, 1e6, after 1e6 random updates, of the raw bytes', True, 1.8,
           lambda m: m.memory('after as many updates', 'uniform')),
    Target('blocks held by a pin over 100,000 commits, of those that differ', True, 1.0,
           lambda m: m.pin_blocks()),
    Target('commit of 1 key with that pin, of one without', True, 1.2,
           lambda m: m.pin_time()),
]


def verdict(target, figure):
    """In a word."""
    if figure is None:
        return 'not measured'
    reached = figure <= target.limit if target.at_most else figure >= target.limit
    return 'reached' if reached else 'MISSED'
