# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
"""The page that says what was measured."""

import os

from charts import draw_all
from targets import SIZES, TARGETS, Measure, verdict

# No tables, so nobody loses to them.
LIMITS = ('limit-1', 'limit-2', 'bpf-array')
UNSTABLE = 1.5  # most over least

INTRO = '''
.. SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
.. Written by bench/report from results.tsv and machine.tsv; ``make bench`` writes all of it anew.

==============
How fast it is
==============

What was run
============

All tables are in one process, hold the same entries, and are measured in turns: one measurement of each, then the next
round, for which the stack lies elsewhere. A figure is the median of the rounds (7 unless a table says otherwise), in CPU
time of the thread that works. So what else runs on the machine disturbs all alike, and **only ratios of figures in one
table mean anything elsewhere**. Every peer has first been asked for every key, and for some that are not there, and gave
the right answers.

snapmap is compiled as it ships (-O2): the module's own files for table, arena and commits, with a shim for the kernel,
over an arena in a memfd; and the library's ``snapmap_get()``, which reads that memfd as it would read a device, and has look-ups
of its own for CPUs with AVX2. A commit is
what the ioctl does without the system call; nobody reads in the kernel, so no grace period of RCU is waited for.
*snapmap* has pages of 4 KiB, *snapmap-huge* pages of 2 MiB. *snapmap-inline* is a program with look-ups compiled in
(``snapmap_inline.h``), on pages of 2 MiB. It and the peers are compiled for this very machine (-O3 -march=native).

- *absl*: Abseil's flat_hash_map without any synchronisation, the bound for a table in one process
- *lmdb*: LMDB, NOSYNC and WRITEMAP on tmpfs, loaded in order of keys; one long read transaction, or (*lmdb-renew*) renewed for each get.
  Commits are made beside readers of the second kind
- *lfht-qsbr*, *lfht-memb*: liburcu's lock-free hash table; *rcu-absl*: an Abseil table that each commit copies whole
- *glib*: GHashTable under a pthread_rwlock; *cdb*: tinycdb on tmpfs
- *bpf-hash*: look-ups by bpf(2); *bpf-array*: a mapped BPF array, which has numbers for keys
- *go-...*: Go's map alone, under an RWMutex, sync.Map, and in an atomic.Value
- *limit-1*, *limit-2*: no tables, but values at known places in lines of 64 bytes: one cache miss, and a second one in the
  same page whose place the first one tells

Keys are 16 random bytes, or strings of 8 to 40 bytes: lines of Debian's word lists (wamerican-huge, wfrench, wngerman) and
names of Debian packages, and where those are not enough (at 1e6), pairs of a package's name and a word. Values have 32
bytes, and are copied out. Keys to look for, and those of commits, lie in memory in the order in which they are wanted, so that the
table is measured and not the fetching of the key. Before a row of commits is measured, 20 are made, or as many as take two
seconds, so that its memory is there. *Independent* gets may overlap in the CPU; *dependent* ones may not: which key is next depends on
the last value. *Batched*: ``snapmap_get_many()``, 16 keys a call; what it is compared with is measured beside it, as
*(single)*. *Zipf*: exponent 0.99.
'''

OTHER = {
    'back to back': 'Back to back, warm. CPU time of the committing thread; threads that liburcu frees memory in are left out,\n'
                    'those of Go\'s garbage collector are not. sync.Map shows each key by itself.',
    '1,000 a second': 'One each millisecond, with 8 MiB of other memory written to in between; the median of 100. What larger commits '
                      'before\nleft to be done later, as snapmap\'s reclaim, has been done.',
}


def number(value):
    """Three digits that count."""
    if value >= 1000:
        return f'{value:,.0f}'
    if value >= 100:
        return f'{value:.0f}'
    return f'{value:.1f}' if value >= 10 else f'{value:.2f}'


def heading(text, line='='):
    """A heading."""
    return f'\n{text}\n{line * len(text)}\n'


def grid(rows):
    """A table whose first row is its head."""
    widths = [max(len(str(row[i])) for row in rows) for i in range(len(rows[0]))]
    rule = '  '.join('=' * width for width in widths)
    lines = ['  '.join(str(cell).ljust(width) for cell, width in zip(row, widths)).rstrip()
             for row in rows]
    return '\n'.join(['', rule, lines[0], rule, *lines[1:], rule, ''])


def size_name(entries):
    """1e6."""
    text = str(entries)
    zeros = len(text) - len(text.rstrip('0'))
    return f'{text[:len(text) - zeros]}e{zeros}' if zeros > 2 else text


def cell(figure, base):
    """A figure, and the multiple of snapmap's that it is."""
    if figure is None:
        return '\u2014'
    if base is None or base is figure:
        return number(figure.median)
    return f'{number(figure.median)} ({figure.median / base.median:.2f}x)'


def by_size(results, place, sizes, spread='uniform'):
    """Peers down, sizes across. @place: section, keys, op, mode, unit."""
    section, keys, op, mode, unit = place
    tables = [(n, results.table(section, keys, n, op, mode, unit, spread)) for n in sizes]
    tables = [(n, table) for n, table in tables if table]
    if not tables:
        return ''
    peers = []
    for _, table in tables:
        peers += [peer for peer in table if peer not in peers]
    rows = [[unit, *(size_name(n) for n, _ in tables)]]
    for peer in peers:
        rows.append([peer, *(cell(table.get(peer), table.get('snapmap')) for _, table in tables)])
    return grid(rows)


def targets(results):
    """What is to be reached, and what is."""
    rows = [['target', 'at', '4 KiB pages', '', '2 MiB pages', '', 'compiled in', '']]
    measures = [Measure(results, name) for name in ('snapmap', 'snapmap-huge', 'snapmap-inline')]
    for target in TARGETS:
        row = [target.what, f'{"<=" if target.at_most else ">="} {target.limit:.2f}']
        for measure in measures:
            figure = target.figure(measure)
            row += ['\u2014' if figure is None else f'{figure:.2f}', verdict(target, figure)]
        rows.append(row)
    return (heading('What it must reach') +
            '\nTimes unless a line says rate; a ratio of medians, or, beside a writer, with two readers and with a pin, '
            'the median of\nthe ratios round by round.\n' + grid(rows))


def reads(results):
    """All tables of look-ups."""
    text = heading('Look-ups') + '\nIn brackets: as a multiple of snapmap\'s.\n'
    for keys in ('binary', 'strings'):
        for spread in ('uniform', 'zipf'):
            for op, mode in (('hit', 'independent'), ('hit', 'dependent'), ('hit', 'batched'),
                             ('miss', 'independent')):
                table = by_size(results, ('read', keys, op, mode, 'ns'), SIZES, spread)
                if table:
                    what = 'hits' if op == 'hit' else 'misses'
                    keys_name = '16-byte keys' if keys == 'binary' else 'strings'
                    text += heading(f'{what}, {mode}, {keys_name}, {spread}', '-') + table
    return text


def commits(results):
    """All tables of changes."""
    text = heading('Commits')
    for mode, about in OTHER.items():
        for size in (1, 100, 10000):
            for keys in ('binary', 'strings'):
                table = by_size(results, ('commit', keys, f'{size} keys', mode, 'us'), SIZES)
                if table:
                    text += heading(f'{size:,} keys a commit, {mode}, {keys}', '-')
                    text += f'\n{about}\n' + table
    return text


def one_table(results, section, about):
    """All tables of a section, one below another."""
    text = heading(about[0]) + f'\n{about[1]}\n'
    for key, table in results.tables.items():
        if key[0] != section:
            continue
        _, keys, entries, _, op, mode, unit = key
        what = ', '.join(w for w in (op, mode if section != 'beside' else '-') if w != '-')
        text += heading(f'{what}: {size_name(entries)} entries, {keys}', '-')
        text += grid([[unit, 'median', 'least', 'most']] +
                     [[peer, number(f.median), number(f.least), number(f.most)]
                      for peer, f in table.items()])
    return text


REST = {
    'replace': ('Whole replacement', 'Preparation is what an application does before: filling a batch, sorting '
                'for LMDB, reserving a table.'),
    'memory': ('Memory', 'snapmap: resident bytes of the arena with all its bookkeeping, and with what waits for reuse '
               'when single-key commits\ncome at 10,000 a second. Updates are of entries at random, as many as there are entries. LMDB: pages of the tree. Others: what malloc() has given.'),
    'pin': ('A pin held over 100,000 commits of one key', 'Blocks that the pin holds back, and those in which its '
            'version differs from the current one, counted by walking both.'),
    'beside': ('Beside a writer', 'Independent gets while another thread makes 1,000 commits a second of 1 or of 100 keys; *x* is '
               'the ratio to quiet of the same\nround. *process*: the reader is a process of its own.'),
    'readers': ('One and two readers', 'Millions of gets a second of CPU time, all readers together; *x*: the ratio to one.'),
    'visible': ('From commit to visible', 'From before the commit of one key until a thread that looks all the time has read it; '
                'wall time, the median of 100.'),
    'hash': ('Hashing', 'A thousand keys that are in the cache: the hash of snapmap; xxh64 and xxh3 of libxxhash, compiled '
             'in; SipHash-2-4 of\nlibsodium. *Dependent*: each hash is the seed of the next one. What the seed '
             'protects from is in design.rst, "Decisions".'),
}


def losses(results):
    """Tables in which somebody is faster."""
    rows = [['where', 'faster, by so much']]
    for key, table in results.tables.items():
        section, keys, entries, spread, op, mode, unit = key
        if unit not in ('ns', 'us', 'ms', 'B/entry') or 'snapmap' not in table:
            continue
        own = table['snapmap'].median
        better = sorted((f.median / own, peer) for peer, f in table.items()
                        if f.median < own * 0.95 and peer not in LIMITS and peer != 'raw'
                        and not peer.startswith('snapmap'))
        if better and section != 'beside':
            where = ', '.join(w for w in (section, size_name(entries), keys, spread, op, mode) if w != '-')
            told = ', '.join(f'{peer} {1 / ratio:.1f}x' for ratio, peer in better[:4])
            rows.append([where, told + (', ...' if len(better) > 4 else '')])
    text = heading('Where snapmap loses') + '''
Every measurement in which somebody takes at least 5 % less than *snapmap*; the fastest four. Those that nobody can change
while they are read (absl, go-map, cdb), that belong to one process (all but lmdb, cdb and BPF), and that copy the whole table
for a commit (rcu-absl, go-atomic) are among them.
'''
    return text + (grid(rows) if len(rows) > 1 else '\nNowhere.\n')


def unstable(results):
    """Figures that cannot be trusted far."""
    rows = [['measurement', 'peer', 'median', 'least', 'most']]
    count = total = 0
    for key, table in results.tables.items():
        for peer, figure in table.items():
            total += 1
            if figure.least and figure.most > figure.least * UNSTABLE:
                count += 1
                if peer in ('snapmap', 'absl', 'lmdb', 'lmdb-renew'):
                    where = ', '.join(str(w) for w in key[:6] if w != '-')
                    rows.append([where, peer, *(number(v) for v in figure[:3])])
    rows[1:] = sorted(rows[1:], key=lambda row: row[0])[:60]
    text = heading('What is unstable') + f'''
Of {total:,} figures {count:,} have a largest round of more than {UNSTABLE} times the smallest one. Least and most of each are in
results.tsv. Of snapmap, Abseil and LMDB:
'''
    return text + (grid(rows) if len(rows) > 1 else '\nNone.\n')


def machine(results):
    """What the figures depend on."""
    rows = [['', '']]
    notes = ''
    loads = [['options', 'CPUs that others had']]
    for line in results.machine:
        if line[0] == 'load':
            loads.append(line[1:])
        elif line[0] == 'note':
            notes += f'\n{line[1]}\n'
        else:
            rows.append(line)
    absent = ''.join(f'\n- *{peer}* did not take part: {why}' for peer, why in results.absent.items())
    return (heading('On what') + grid([['what', 'here'], *rows[1:]]) + absent +
            '\nHow many CPUs other processes of the machine had meanwhile, on average, and what the hypervisor took:\n' +
            grid(loads) + notes)


def write(results, directory):
    """index.rst and the charts."""
    charts = draw_all(results, directory)
    text = INTRO.lstrip() + machine(results) + targets(results)
    if charts:
        text += heading('Charts') + ''.join(f'\n.. image:: {name}\n   :alt: {title}\n' for name, title in charts)
    text += reads(results) + commits(results)
    for section, about in REST.items():
        text += one_table(results, section, about)
    text += losses(results) + unstable(results)
    with open(os.path.join(directory, 'index.rst'), 'w', encoding='utf-8') as file:
        file.write(text)
