// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * keys.cc - random keys, and strings from Debian's word lists and package names
 *
 * Strings: every line of 8 to 40 bytes of the word lists below and every package name that apt
 * knows, each once, shuffled. Where that is not enough, pairs of a package name and a word with
 * a slash between them follow, until there are enough.
 */
#include "keys.h"

#include <cstdio>
#include <fstream>
#include <stdexcept>
#include <unordered_set>

#include "random.h"

namespace bench
{

namespace
{

constexpr size_t most_missing = 1000000;
constexpr const char *word_lists[] = {
	"/usr/share/dict/american-english-huge",
	"/usr/share/dict/french",
	"/usr/share/dict/ngerman",
};

size_t count_missing(size_t size)
{
	return size < most_missing ? size : most_missing;
}

std::vector<std::string> lines_of(std::istream &in)
{
	std::vector<std::string> lines;
	std::string line;

	while (std::getline(in, line))
		lines.push_back(line);
	return lines;
}

std::vector<std::string> words()
{
	std::vector<std::string> all;

	for (const char *path : word_lists) {
		std::ifstream in(path);
		std::vector<std::string> lines = lines_of(in);

		if (lines.empty())
			throw std::runtime_error(std::string(path) +
						 " is missing; see scripts/deps bench");
		all.insert(all.end(), lines.begin(), lines.end());
	}
	return all;
}

/* Sorted, for apt gives them in no order; none where apt knows none. */
std::vector<std::string> packages()
{
	std::vector<std::string> names;
	FILE *pipe = popen("LC_ALL=C; apt-cache pkgnames 2>/dev/null | sort", "r");
	char line[256];

	while (pipe && fgets(line, sizeof(line), pipe))
		names.emplace_back(line, strcspn(line, "\n"));
	if (pipe)
		pclose(pipe);
	return names;
}

bool fits(const std::string &text)
{
	return text.size() >= text_min && text.size() <= text_max;
}

class Strings
{
      public:
	explicit Strings(size_t count) : count_(count)
	{
		std::vector<std::string> some = words();
		std::vector<std::string> names = packages();
		Random random(1);

		random.shuffle(some);
		/* A package name among every few words, so that any number of strings is mixed. */
		for (size_t i = 0; i < some.size(); i++) {
			add(some[i]);
			if (i % 16 == 0 && i / 16 < names.size())
				add(names[random.below(names.size())]);
		}
		if (names.empty())
			names = some;
		while (list.size() < count_)
			add(names[random.below(names.size())] + "/" +
			    some[random.below(some.size())]);
	}

	std::vector<std::string> list;

      private:
	void add(const std::string &text)
	{
		if (fits(text) && list.size() < count_ && seen_.insert(text).second)
			list.push_back(text);
	}

	size_t count_;
	std::unordered_set<std::string> seen_;
};

KeyText to_key(const std::string &text)
{
	KeyText key = {};

	memcpy(key.bytes, text.data(), text.size());
	key.length = static_cast<uint8_t>(text.size());
	return key;
}

Key16 random_key(Random &random)
{
	uint64_t words[2] = { random.next(), random.next() };
	Key16 key;

	memcpy(key.bytes, words, sizeof(key.bytes));
	return key;
}

} // namespace

const char *name_of(KeyKind kind)
{
	return kind == KeyKind::binary ? "binary" : "strings";
}

Data<Key16> make_binary(size_t size)
{
	Data<Key16> data;
	Random random(size);

	for (size_t i = 0; i < size; i++)
		data.keys.push_back(random_key(random));
	for (size_t i = 0; i < count_missing(size); i++)
		data.missing.push_back(random_key(random));
	return data;
}

Data<KeyText> make_strings(size_t size)
{
	Strings strings(size + count_missing(size));
	Data<KeyText> data;

	/* The two take turns, so that both are of the same kind. */
	for (size_t i = 0; i < strings.list.size(); i++) {
		bool second = i % 2 && data.missing.size() < count_missing(size);

		if (second || data.keys.size() == size)
			data.missing.push_back(to_key(strings.list[i]));
		else
			data.keys.push_back(to_key(strings.list[i]));
	}
	return data;
}

} // namespace bench
