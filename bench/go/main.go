// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

// Go's tables, measured when the benchmark says so: one command a line on stdin, one answer a
// line on stdout.
//
//	load binary|strings FILE	the keys of all tables; entry n has the value n
//	wanted FILE			the keys to look for, in that order
//	read TABLE MODE FROM COUNT	look so many of them up: ns, hits, sum of the numbers found
package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"unsafe"
)

const textStride = 48 // bytes of a string in a file, its length in the last

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

type session struct {
	binary bool
	loops  map[string]loop
	reread func(path string) error
}

// The thread's CPU time; the caller has locked itself to its thread.
func cpuNs() uint64 {
	var now syscall.Timespec

	syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, 3, uintptr(unsafe.Pointer(&now)), 0)
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

	start := cpuNs()
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
	r.ns = cpuNs() - start
	return r
}

func fill[K comparable](keys []K) map[K]value {
	table := make(map[K]value, len(keys))
	for n, key := range keys {
		table[key] = value{number: uint64(n)}
	}
	return table
}

// The tables, each with a function that looks a key up.
func tables[K comparable](keys []K) map[string]func(key K) (value, bool) {
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
	return map[string]func(key K) (value, bool){
		"map": func(key K) (value, bool) {
			v, ok := plain[key]
			return v, ok
		},
		"rwmutex": func(key K) (value, bool) {
			lock.RLock()
			v, ok := plain[key]
			lock.RUnlock()
			return v, ok
		},
		"sync": func(key K) (value, bool) {
			v, ok := synced.Load(key)
			if !ok {
				return value{}, false
			}
			return v.(value), true
		},
		"atomic": func(key K) (value, bool) {
			v, ok := copied.Load().(map[K]value)[key]
			return v, ok
		},
	}
}

func open[K comparable](s *session, read func(path string) ([]K, error), path string) error {
	var wanted []K

	keys, err := read(path)
	if err != nil {
		return err
	}
	s.loops = map[string]loop{}
	for name, get := range tables(keys) {
		get := get
		s.loops[name] = func(from, count int, dependent bool) result {
			return measure(wanted[from:from+count], get, dependent)
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

func (s *session) load(kind, path string) error {
	if kind == "binary" {
		return open(s, readBinary, path)
	}
	return open(s, readStrings, path)
}

func (s *session) obey(line string) (string, error) {
	var (
		word, kind, path, table, mode string
		from, count                   int
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
		run, ok := s.loops[table]
		if !ok {
			return "", fmt.Errorf("no table %s", table)
		}
		r := run(from, count, mode == "dependent")
		return fmt.Sprintf("%d %d %d", r.ns, r.hits, r.sum), nil
	}
	return "", fmt.Errorf("no command %s", word)
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
