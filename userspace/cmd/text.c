// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * text.c - backslash escapes
 *
 * Read: \t \n \r \\ and \xHH. Written: the same, for backslashes, control
 * characters and, in a text that is not UTF-8, for all bytes above 0x7f; so that
 * what is written can be shown, and reads back as the same bytes.
 */
#include "text.h"

#include <string.h>

/**
 * text_is_plain() - whether bytes are UTF-8 without NUL
 * @bytes: the bytes
 * @len: their number
 */
bool text_is_plain(const void *bytes, gsize len)
{
	return g_utf8_validate_len(bytes, len, NULL);
}

static void append_escape(GString *out, guchar byte)
{
	static const char digits[] = "0123456789abcdef";
	char text[4] = { '\\', 'x', digits[byte >> 4], digits[byte & 15] };

	switch (byte) {
	case '\t':
		g_string_append_len(out, "\\t", 2);
		break;
	case '\n':
		g_string_append_len(out, "\\n", 2);
		break;
	case '\r':
		g_string_append_len(out, "\\r", 2);
		break;
	case '\\':
		g_string_append_len(out, "\\\\", 2);
		break;
	default:
		g_string_append_len(out, text, sizeof(text));
	}
}

static bool needs_escape(guchar byte, bool plain)
{
#ifdef SNAPMAP_BREAK_ESCAPE /* a deliberate break, for the fuzzers' own test */
	if (byte == '\n')
		return false;
#endif
	return byte < 0x20 || byte == 0x7f || byte == '\\' || (byte >= 0x80 && !plain);
}

/**
 * text_escape() - append bytes as text
 * @out: where to
 * @bytes: the bytes
 * @len: their number
 */
void text_escape(GString *out, const void *bytes, gsize len)
{
	const guchar *from = bytes;
	bool plain = text_is_plain(bytes, len);
	gsize i, done = 0;

	for (i = 0; i < len; i++) {
		if (!needs_escape(from[i], plain))
			continue;
		g_string_append_len(out, (const char *)from + done, i - done);
		append_escape(out, from[i]);
		done = i + 1;
	}
	g_string_append_len(out, (const char *)from + done, len - done);
}

/* Bytes that an escape takes, of @left; 0 when it is none. Stores what it means. */
static gsize read_escape(const char *text, gsize left, char *byte)
{
	static const char names[] = "tnr\\";
	static const char bytes[] = "\t\n\r\\";
	const char *at;

	if (left < 2)
		return 0;
	at = memchr(names, text[1], sizeof(names) - 1);
	if (at) {
		*byte = bytes[at - names];
		return 2;
	}
	if (text[1] != 'x' || left < 4 || !g_ascii_isxdigit(text[2]) || !g_ascii_isxdigit(text[3]))
		return 0;
	*byte = (char)(g_ascii_xdigit_value(text[2]) << 4 | g_ascii_xdigit_value(text[3]));
	return 4;
}

static bool bad_escape(const char *text, gsize left, GString *why)
{
	gsize shown = MIN(left, left > 1 && text[1] == 'x' ? 4 : 2);

	g_string_assign(why, "a bad escape '\\");
	text_escape(why, text + 1, shown - 1);
	g_string_append(why, "'; \\t \\n \\r \\\\ and \\xHH are known");
	return false;
}

/**
 * text_unescape() - read the escapes of a text, in place
 * @text: the text
 * @len: in: its length; out: the number of bytes that it means
 * @why: out: what is wrong with it
 *
 * Return: false when an escape is not known.
 */
bool text_unescape(char *text, gsize *len, GString *why)
{
	char *to = memchr(text, '\\', *len);
	char *from = to;
	char *end = text + *len;
	gsize taken;

	while (from && from < end) {
		if (*from != '\\') {
			*to++ = *from++;
			continue;
		}
		taken = read_escape(from, end - from, to);
		if (!taken)
			return bad_escape(from, end - from, why);
		from += taken;
		to++;
	}
	if (to)
		*len = to - text;
	return true;
}
