// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

// Go's tables, measured when the benchmark says so: one command a line on stdin, one answer a
// line on stdout.
//
//	load binary|strings FILE	the keys of all tables; entry n has the value n
//	wanted FILE			the keys to look for, in that order
//	read TABLE MODE FROM COUNT	look so many of them up: ns, hits, sum of the numbers found
//	commit TABLE SIZE FILE		make the changes in the file, so many a commit: ns
package main

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"unsafe"
)

const (
	textStride   = 48 // bytes of a string in a file, its length in the last
	changeStride = 16 // of a change: the entry's index, padding, and which update of it it is
)

type value struct {
	number uint64
	rest   [24]byte
}

// What a run of look-ups has found.
type result struct {
	ns, hits, sum uint64
}

// A loop over wanted[from : from+count].
type loop func(from, count int, dependent bool) result

// An entry gets another value.
type change struct {
	index uint32
	turn  uint64
}

func (c change) value() value {
	v := value{number: uint64(c.index)}
	for i := range v.rest {
		v.rest[i] = byte(uint64(c.index) + c.turn)
	}
	binary.LittleEndian.PutUint64(v.rest[:], c.turn)
	return v
}

type handle struct {
	read   loop
	commit func(changes []change, size int) uint64
	turn   func(index uint32) uint64 // which update of an entry there is
}

type session struct {
	tables map[string]handle
	reread func(path string) error
}

// Clocks of clock_gettime(2).
const (
	processClock = 2 // the CPU time of all threads, the garbage collector's among them
	threadClock  = 3 // of this one; the caller has locked itself to its thread
)

func cpuNs(clock uintptr) uint64 {
	var now syscall.Timespec

	syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, clock, uintptr(unsafe.Pointer(&now)), 0)
	return uint64(now.Nano())
}

var runTimeZero uint64 // which the compiler does not know

// Runs a loop whose body is get, for keys of type K.
func measure[K comparable](wanted []K, get func(key K) (value, bool), dependent bool) result {
	var (
		r    result
		v    value
		zero = atomic.LoadUint64(&runTimeZero)
	)

	start := cpuNs(threadClock)
	for i := range wanted {
		at := i
		if dependent {
			at += int(v.number & zero)
		}
		if found, ok := get(wanted[at]); ok {
			v = found
			r.sum += v.number
			r.hits++
		}
	}
	r.ns = cpuNs(threadClock) - start
	return r
}

// Makes commits of size changes each, and says how long it took. The keys lie in memory in the
// order of their changes.
func commitAll[K comparable](t table[K], keys []K, changes []change, size int) uint64 {
	ordered := make([]K, len(changes))
	for n, c := range changes {
		ordered[n] = keys[c.index]
	}
	start := cpuNs(processClock)
	for at := 0; at+size <= len(changes); at += size {
		t.commit(ordered[at:at+size], changes[at:at+size])
	}
	return cpuNs(processClock) - start
}

func fill[K comparable](keys []K) map[K]value {
	table := make(map[K]value, len(keys))
	for n, key := range keys {
		table[key] = value{number: uint64(n)}
	}
	return table
}

// What can be done with a table.
type table[K comparable] struct {
	get    func(key K) (value, bool)
	commit func(keys []K, changes []change)
}

func tables[K comparable](keys []K) map[string]table[K] {
	var (
		lock   sync.RWMutex
		synced sync.Map
		copied atomic.Value
	)

	plain := fill(keys)
	copied.Store(plain)
	for n, key := range keys {
		synced.Store(key, value{number: uint64(n)})
	}
	update := func(table map[K]value, keys []K, changes []change) {
		for n, c := range changes {
			table[keys[n]] = c.value()
		}
	}
	return map[string]table[K]{
		"map": {
			func(key K) (value, bool) {
				v, ok := plain[key]
				return v, ok
			},
			func(keys []K, changes []change) {
				update(plain, keys, changes)
			},
		},
		"rwmutex": {
			func(key K) (value, bool) {
				lock.RLock()
				v, ok := plain[key]
				lock.RUnlock()
				return v, ok
			},
			func(keys []K, changes []change) {
				lock.Lock()
				update(plain, keys, changes)
				lock.Unlock()
			},
		},
		// Readers may see a part of the changes.
		"sync": {
			func(key K) (value, bool) {
				v, ok := synced.Load(key)
				if !ok {
					return value{}, false
				}
				return v.(value), true
			},
			func(keys []K, changes []change) {
				for n, c := range changes {
					synced.Store(keys[n], c.value())
				}
			},
		},
		"atomic": {
			func(key K) (value, bool) {
				v, ok := copied.Load().(map[K]value)[key]
				return v, ok
			},
			func(keys []K, changes []change) {
				last := copied.Load().(map[K]value)
				next := make(map[K]value, len(last))
				for key, v := range last {
					next[key] = v
				}
				update(next, keys, changes)
				copied.Store(next)
			},
		},
	}
}

func open[K comparable](s *session, read func(path string) ([]K, error), path string) error {
	var wanted []K

	keys, err := read(path)
	if err != nil {
		return err
	}
	s.tables = map[string]handle{}
	for name, t := range tables(keys) {
		t := t
		get := t.get
		s.tables[name] = handle{
			read: func(from, count int, dependent bool) result {
				return measure(wanted[from:from+count], get, dependent)
			},
			commit: func(changes []change, size int) uint64 {
				return commitAll(t, keys, changes, size)
			},
			turn: func(index uint32) uint64 {
				v, _ := get(keys[index])
				return binary.LittleEndian.Uint64(v.rest[:])
			},
		}
	}
	s.reread = func(path string) error {
		wanted, err = read(path)
		runtime.GC()
		return err
	}
	return s.reread(path)
}

func readBinary(path string) ([][16]byte, error) {
	data, err := os.ReadFile(path)
	keys := make([][16]byte, len(data)/16)
	for n := range keys {
		copy(keys[n][:], data[n*16:])
	}
	return keys, err
}

// All strings lie in one, behind each other.
func readStrings(path string) ([]string, error) {
	var all strings.Builder

	data, err := os.ReadFile(path)
	for n := 0; n < len(data); n += textStride {
		all.Write(data[n : n+int(data[n+textStride-1])])
	}
	rest := all.String()
	keys := make([]string, len(data)/textStride)
	for n := range keys {
		length := int(data[(n+1)*textStride-1])
		keys[n], rest = rest[:length], rest[length:]
	}
	return keys, err
}

func readChanges(path string) ([]change, error) {
	data, err := os.ReadFile(path)
	changes := make([]change, len(data)/changeStride)
	for n := range changes {
		at := data[n*changeStride:]
		changes[n] = change{binary.LittleEndian.Uint32(at), binary.LittleEndian.Uint64(at[8:])}
	}
	return changes, err
}

func (s *session) load(kind, path string) error {
	if kind == "binary" {
		return open(s, readBinary, path)
	}
	return open(s, readStrings, path)
}

func (s *session) obey(line string) (string, error) {
	var (
		word, kind, path, table, mode string
		from, count, size             int
	)

	fmt.Sscan(line, &word)
	switch word {
	case "load":
		fmt.Sscan(line, &word, &kind, &path)
		return "ok", s.load(kind, path)
	case "wanted":
		fmt.Sscan(line, &word, &path)
		return "ok", s.reread(path)
	case "read":
		fmt.Sscan(line, &word, &table, &mode, &from, &count)
		t, ok := s.tables[table]
		if !ok {
			return "", fmt.Errorf("no table %s", table)
		}
		r := t.read(from, count, mode == "dependent")
		return fmt.Sprintf("%d %d %d", r.ns, r.hits, r.sum), nil
	case "commit":
		fmt.Sscan(line, &word, &table, &size, &path)
		return s.commit(table, size, path)
	}
	return "", fmt.Errorf("no command %s", word)
}

func (s *session) commit(table string, size int, path string) (string, error) {
	t, ok := s.tables[table]
	changes, err := readChanges(path)
	if !ok || size <= 0 || len(changes) == 0 || len(changes)%size != 0 {
		return "", fmt.Errorf("no %d commits of %d to %s", len(changes), size, table)
	}
	if err != nil {
		return "", err
	}
	ns := t.commit(changes, size)
	last := changes[len(changes)-1]
	if turn := t.turn(last.index); turn != last.turn {
		return "", fmt.Errorf("%s: entry %d has turn %d, not %d", table, last.index, turn, last.turn)
	}
	return fmt.Sprint(ns), nil
}

func main() {
	var s session

	runtime.LockOSThread()
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		answer, err := s.obey(in.Text())
		if err != nil {
			fmt.Fprintln(os.Stderr, "go-peer:", err)
			os.Exit(1)
		}
		fmt.Println(answer)
	}
}
