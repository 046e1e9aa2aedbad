// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * number.c - sizes, modes, owners and times, from and to text
 */
#include "number.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NS_PER_SEC 1000000000ULL

/* GLib refuses signs and spaces before a number, but for a vertical tab. */
static bool parse_digits(const char *text, guint base, guint64 max, guint64 *out)
{
	return g_ascii_isdigit(*text) && g_ascii_string_to_unsigned(text, base, 0, max, out, NULL);
}

/**
 * parse_u64() - a decimal number
 * @text: all of it must be digits
 * @out: the number
 *
 * Return: false when it is none or does not fit.
 */
bool parse_u64(const char *text, guint64 *out)
{
	return parse_digits(text, 10, G_MAXUINT64, out);
}

/**
 * parse_size() - a number of bytes
 * @text: a decimal number, and K, M, G or T for powers of 1024
 * @out: the bytes
 *
 * Return: false when it is none or does not fit.
 */
bool parse_size(const char *text, guint64 *out)
{
	static const char units[] = "KMGT";
	gsize len = strlen(text);
	const char *unit = len ? strchr(units, g_ascii_toupper(text[len - 1])) : NULL;
	g_autofree char *digits = g_strndup(text, unit ? len - 1 : len);
	guint shift = unit ? (guint)(unit - units + 1) * 10 : 0;

	if (!parse_u64(digits, out) || *out > G_MAXUINT64 >> shift)
		return false;
	*out <<= shift;
	return true;
}

/* Milliseconds of a unit of time; 0 when it is none. */
static guint64 unit_ms(const char *unit)
{
	static const struct {
		const char *name;
		guint64 ms;
	} units[] = {
		{ "", 1000 }, { "ms", 1 }, { "s", 1000 }, { "m", 60 * 1000 }, { "h", 3600 * 1000 },
	};
	guint i;

	for (i = 0; i < G_N_ELEMENTS(units); i++)
		if (!strcmp(unit, units[i].name))
			return units[i].ms;
	return 0;
}

/**
 * parse_duration() - a length of time
 * @text: a decimal number, and ms, s, m or h; seconds where there is no unit
 * @out: milliseconds
 *
 * Return: false when it is none or does not fit.
 */
bool parse_duration(const char *text, guint64 *out)
{
	gsize len = strspn(text, "0123456789");
	g_autofree char *digits = g_strndup(text, len);
	guint64 ms = unit_ms(text + len);

	if (!ms || !parse_u64(digits, out) || *out > G_MAXUINT64 / ms)
		return false;
	*out *= ms;
	return true;
}

/* The digits behind a point, as nanoseconds; at most nine. */
static bool parse_fraction(const char *text, gsize len, guint64 *ns)
{
	g_autofree char *digits = g_strndup("000000000", 9);

	if (!len || len > 9)
		return false;
	memcpy(digits, text, len);
	return parse_u64(digits, ns);
}

static bool parse_date(const char *text, guint64 *seconds)
{
	g_autoptr(GTimeZone) utc = g_time_zone_new_utc();
	g_autoptr(GDateTime) time = g_date_time_new_from_iso8601(text, utc);

	if (!time || g_date_time_to_unix(time) < 0)
		return false;
	*seconds = (guint64)g_date_time_to_unix(time);
	return true;
}

/**
 * parse_time() - a time
 * @text: in the notation of ISO 8601, in UTC unless it says another zone, or @
 *	and seconds since 1970; either with a fraction of up to nine digits
 * @ns: nanoseconds since 1970
 *
 * Return: false when it is none, or none that fits.
 */
bool parse_time(const char *text, guint64 *ns)
{
	const char *point = strchr(text, '.');
	gsize len = point ? strspn(point + 1, "0123456789") : 0;
	g_autofree char *head = g_strndup(text, point ? (gsize)(point - text) : strlen(text));
	g_autofree char *whole = g_strconcat(head, point ? point + 1 + len : "", NULL);
	guint64 seconds, fraction = 0;

	if (point && !parse_fraction(point + 1, len, &fraction))
		return false;
	if (*text == '@' ? !parse_u64(whole + 1, &seconds) : !parse_date(whole, &seconds))
		return false;
	if (seconds > G_MAXUINT64 / NS_PER_SEC - 1)
		return false;
	*ns = seconds * NS_PER_SEC + fraction;
	return true;
}

/**
 * parse_mode() - permission bits
 * @text: an octal number up to 777
 * @out: the bits
 *
 * Return: false when it is none.
 */
bool parse_mode(const char *text, mode_t *out)
{
	guint64 mode;

	if (!parse_digits(text, 8, 0777, &mode))
		return false;
	*out = mode;
	return true;
}

static bool parse_user(const char *text, uid_t *uid, gid_t *gid)
{
	const struct passwd *user = getpwnam(text);
	guint64 number;

	if (!user && parse_u64(text, &number) && number < G_MAXUINT32) {
		*uid = number;
		user = getpwuid(number);
		if (user)
			*gid = user->pw_gid;
		return true;
	}
	if (!user)
		return false;
	*uid = user->pw_uid;
	*gid = user->pw_gid;
	return true;
}

static bool parse_group(const char *text, gid_t *gid)
{
	const struct group *group = getgrnam(text);
	guint64 number;

	if (!group && parse_u64(text, &number) && number < G_MAXUINT32) {
		*gid = number;
		return true;
	}
	if (!group)
		return false;
	*gid = group->gr_gid;
	return true;
}

/**
 * parse_owner() - USER[:GROUP]
 * @text: names or numbers
 * @uid: the user
 * @gid: the group; without GROUP the user's own, when the user is known
 *
 * Return: false when there is no such user or group.
 */
bool parse_owner(const char *text, uid_t *uid, gid_t *gid)
{
	const char *colon = strchr(text, ':');
	g_autofree char *user = g_strndup(text, colon ? (gsize)(colon - text) : strlen(text));

	return parse_user(user, uid, gid) && (!colon || parse_group(colon + 1, gid));
}

/**
 * size_text() - a number of bytes for people
 * @bytes: the number
 *
 * Return: at most four digits and a unit, to be freed.
 */
char *size_text(guint64 bytes)
{
	static const char units[] = "KMGTPE";
	double size = bytes;
	int unit = -1;

	for (; size >= 1024; size /= 1024)
		unit++;
	if (unit < 0)
		return g_strdup_printf("%" G_GUINT64_FORMAT, bytes);
	return g_strdup_printf(size < 10 ? "%.1f%c" : "%.0f%c", size, units[unit]);
}

/**
 * time_text() - a time in the notation of ISO 8601, in UTC
 * @ns: nanoseconds since 1970
 *
 * Return: the text, to be freed.
 */
char *time_text(guint64 ns)
{
	time_t seconds = ns / 1000000000;
	struct tm parts;
	char text[32];

	gmtime_r(&seconds, &parts);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &parts);
	return g_strdup_printf("%s.%09uZ", text, (guint)(ns % 1000000000));
}

/**
 * age_text() - how long something has lasted, for people
 * @ns: nanoseconds
 *
 * Return: a number of at most two units, to be freed.
 */
char *age_text(guint64 ns)
{
	guint64 seconds = ns / NS_PER_SEC;
	guint64 minutes = seconds / 60;
	guint64 hours = minutes / 60;

	if (!minutes)
		return g_strdup_printf("%.1fs", (double)ns / NS_PER_SEC);
	if (!hours)
		return g_strdup_printf("%um%02us", (guint)minutes, (guint)(seconds % 60));
	if (hours < 24)
		return g_strdup_printf("%uh%02um", (guint)hours, (guint)(minutes % 60));
	return g_strdup_printf("%" G_GUINT64_FORMAT "d%02uh", hours / 24, (guint)(hours % 24));
}

/**
 * user_name() - a user
 * @uid: the user
 *
 * Return: the name where there is one, else the number; to be freed.
 */
char *user_name(uid_t uid)
{
	const struct passwd *user = getpwuid(uid);

	return user ? g_strdup(user->pw_name) : g_strdup_printf("%u", uid);
}

/**
 * owner_name() - USER:GROUP
 * @uid: the user
 * @gid: the group
 *
 * Return: names where there are, else numbers; to be freed.
 */
char *owner_name(uid_t uid, gid_t gid)
{
	const struct group *group = getgrgid(gid);
	g_autofree char *user = user_name(uid);
	g_autofree char *gid_text = g_strdup_printf("%u", gid);

	return g_strdup_printf("%s:%s", user, group ? group->gr_name : gid_text);
}
