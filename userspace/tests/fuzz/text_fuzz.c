// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * text_fuzz.c - what the command reads: lines, TSV, JSON, escapes, numbers
 *
 * Whatever is read is written and read again, and must be the same; whatever is
 * refused must be refused with a reason. A line is an allocation of its own, so
 * that AddressSanitizer sees every step past its end.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../cmd/lines.h"
#include "../../cmd/number.h"
#include "../../cmd/record.h"
#include "../../cmd/text.h"
#include "fuzz.h"

static const struct format *formats[] = { &format_tsv, &format_jsonl };

/* Reads @line as the one put that it is and compares. */
static void read_back(const struct format *format, const GString *line,
		      const struct snapmap_item *item)
{
	g_autoptr(GString) why = g_string_new(NULL);
	struct record record = { .is_delete = false };
	char *copy = g_memdup2(line->str, line->len - 1);

	CHECK(line->len && line->str[line->len - 1] == '\n');
	CHECK(!memchr(line->str, '\n', line->len - 1));
	CHECK(format->parse(copy, line->len - 1, false, &record, why));
	CHECK(record.key_len == item->key_len && record.value_len == item->value_len);
	CHECK(!item->key_len || !memcmp(record.key, item->key, item->key_len));
	CHECK(!item->value_len || !memcmp(record.value, item->value, item->value_len));
	record_clear(&record);
	g_free(copy);
}

static void write_and_read(const void *key, size_t key_len, const void *value, size_t value_len)
{
	const struct snapmap_item item = {
		.key = key_len ? key : "",
		.key_len = key_len,
		.value = value_len ? value : "",
		.value_len = value_len,
	};

	for (size_t i = 0; i < G_N_ELEMENTS(formats); i++) {
		g_autoptr(GString) line = g_string_new(NULL);

		formats[i]->append(line, &item);
		read_back(formats[i], line, &item);
	}
}

static void fuzz_line(const struct format *format, bool with_op, const void *text, size_t size)
{
	g_autoptr(GString) why = g_string_new(NULL);
	struct record record = { .is_delete = false };
	char *line = g_malloc(size + !size);

	memcpy(line, text, size);
	if (!format->parse(line, size, with_op, &record, why))
		CHECK(why->len);
	else if (!record.is_delete)
		write_and_read(record.key, record.key_len, record.value, record.value_len);
	record_clear(&record);
	g_free(line);
}

static void fuzz_entry(struct fuzz_input *input)
{
	size_t key_len = fuzz_u8(input);

	key_len = MIN(key_len, input->left);
	write_and_read(input->data, key_len, input->data + key_len, input->left - key_len);
}

/* Lines come out as they stand between newlines, however small the buffer begins. */
static void fuzz_lines(const uint8_t *data, size_t size)
{
	struct lines lines = { .fd = memfd_create("lines", MFD_CLOEXEC), .cap = 4 };
	const uint8_t *end = data + size;
	const uint8_t *newline;
	char *line;
	gsize len;

	CHECK(lines.fd >= 0 && write(lines.fd, data, size) == (ssize_t)size);
	lseek(lines.fd, 0, SEEK_SET);
	lines.buffer = g_malloc(lines.cap);
	while (data < end) {
		newline = memchr(data, '\n', end - data);
		CHECK(lines_next(&lines, &line, &len) == 1);
		CHECK(len == (size_t)((newline ? newline : end) - data));
		CHECK(!memcmp(line, data, len));
		data = newline ? newline + 1 : end;
	}
	CHECK(lines_next(&lines, &line, &len) == 0);
	lines_close(&lines);
}

static guint64 unit_of(char unit)
{
	const char *at = strchr("kmgt", unit | 0x20);

	return unit && at ? 1ULL << 10 * (4 - strlen(at) + 1) : 1;
}

/* A duration that is taken is a number and one of four units, or none for seconds. */
static void check_duration(const char *text, size_t digits, guint64 ms)
{
	const char *unit = text + digits;
	guint64 number = strtoull(text, NULL, 10);
	guint64 times = !strcmp(unit, "ms") ? 1 :
			!strcmp(unit, "m")  ? 60000 :
			!strcmp(unit, "h")  ? 3600000 :
					      1000;

	CHECK(digits && (times != 1000 || !*unit || !strcmp(unit, "s")));
	CHECK(ms / times == number && ms % times == 0);
}

#define NS_PER_SEC 1000000000ULL

/* A time that is taken, or told, reads back as the same. */
static void check_time(guint64 ns)
{
	g_autofree char *text = time_text(ns);
	guint64 again;

	if (ns / NS_PER_SEC < G_MAXUINT64 / NS_PER_SEC)
		CHECK(parse_time(text, &again) && again == ns);
}

/* A number that is taken has only the characters that it may have. */
static void fuzz_numbers(const void *bytes, size_t size)
{
	char *text = g_strndup(bytes, size);
	size_t digits = strspn(text, "0123456789");
	guint64 number, times;
	mode_t mode;

	if (parse_u64(text, &number)) {
		g_autofree char *again = size_text(number);
		g_autofree char *age = age_text(number);

		CHECK(digits && !text[digits] && strlen(again) <= 5 && *age);
		check_time(number);
		CHECK(number == strtoull(text, NULL, 10));
	}
	if (parse_size(text, &number)) {
		times = unit_of(text[digits]);
		CHECK(digits && (!text[digits] || !text[digits + 1]));
		CHECK(number / times == strtoull(text, NULL, 10) && number % times == 0);
	}
	if (parse_duration(text, &number))
		check_duration(text, digits, number);
	if (parse_time(text, &number)) {
		check_time(number);
		CHECK(*text != '@' || number / NS_PER_SEC == strtoull(text + 1, NULL, 10));
	}
	if (parse_mode(text, &mode))
		CHECK(mode <= 0777 && mode == strtoul(text, NULL, 8));
	g_free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = { data, size };
	uint8_t what = fuzz_u8(&input) % 8;

	if (what < 4)
		fuzz_line(formats[what & 1], what & 2, input.data, input.left);
	else if (what < 6)
		fuzz_entry(&input);
	else if (what == 6)
		fuzz_lines(input.data, input.left);
	else
		fuzz_numbers(input.data, input.left);
	return 0;
}
