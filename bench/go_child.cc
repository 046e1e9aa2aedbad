// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#include "go_child.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <stdexcept>

namespace bench
{

namespace
{

/* Beside this program. */
std::string program()
{
	char path[4096];
	ssize_t length = readlink("/proc/self/exe", path, sizeof(path));
	std::string self(path, length > 0 ? static_cast<size_t>(length) : 0);

	return self.substr(0, self.rfind('/') + 1) + "go-peer";
}

} // namespace

GoChild::GoChild()
{
	std::string path = program();
	int to[2], from[2];

	if (access(path.c_str(), X_OK))
		throw std::runtime_error(path + " is missing");
	if (pipe2(to, O_CLOEXEC) || pipe2(from, O_CLOEXEC))
		throw std::runtime_error("no pipe");
	pid_ = fork();
	if (!pid_) {
		dup2(to[0], STDIN_FILENO);
		dup2(from[1], STDOUT_FILENO);
		execl(path.c_str(), "go-peer", nullptr);
		_exit(127);
	}
	close(to[0]);
	close(from[1]);
	to_ = fdopen(to[1], "w");
	from_ = fdopen(from[0], "r");
}

GoChild::~GoChild()
{
	fclose(to_);
	fclose(from_);
	waitpid(pid_, nullptr, 0);
}

std::shared_ptr<GoChild> GoChild::shared(const void *keys, size_t bytes, const char *kind)
{
	static std::weak_ptr<GoChild> last;
	static const void *last_keys;
	std::shared_ptr<GoChild> child = last.lock();

	if (child && last_keys == keys)
		return child;
	child = std::make_shared<GoChild>();
	child->hand_over(std::string("load ") + kind, keys, bytes);
	last = child;
	last_keys = keys;
	return child;
}

std::string GoChild::ask(const std::string &line)
{
	char answer[256];

	fprintf(to_, "%s\n", line.c_str());
	fflush(to_);
	if (!fgets(answer, sizeof(answer), from_))
		throw std::runtime_error("the Go program has ended");
	return answer;
}

std::string GoChild::hand_over(const std::string &command, const void *data, size_t bytes)
{
	char path[] = "/dev/shm/snapmap-bench-XXXXXX";
	int fd = mkstemp(path);
	const char *from = static_cast<const char *>(data);
	std::string answer;

	while (fd >= 0 && bytes) {
		ssize_t wrote = write(fd, from, bytes);

		if (wrote < 0)
			break;
		from += wrote;
		bytes -= static_cast<size_t>(wrote);
	}
	close(fd);
	if (bytes) {
		unlink(path);
		throw std::runtime_error("no room in /dev/shm");
	}
	answer = ask(command + " " + path);
	unlink(path);
	return answer;
}

} // namespace bench
