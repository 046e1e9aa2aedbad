// SPDX-License-Identifier: GPL-2.0-only
/*
 * sysfs.c - /sys/class/snapmap/NAME/, one value a file
 */
#include <linux/device.h>
#include <linux/sysfs.h>

#include "map.h"

#define SNAPMAP_ATTRIBUTE(name, member)							\
static ssize_t name##_show(struct device *dev, struct device_attribute *attr, char *to)	\
{											\
	struct snapmap_info info;							\
											\
	snapmap_store_info(&snapmap_map_of(dev)->store, &info);				\
	return sysfs_emit(to, "%llu\n", (unsigned long long)info.member);		\
}											\
static DEVICE_ATTR_RO(name)

SNAPMAP_ATTRIBUTE(version, header.version);
SNAPMAP_ATTRIBUTE(entries, header.entries);
SNAPMAP_ATTRIBUTE(key_bytes, header.key_bytes);
SNAPMAP_ATTRIBUTE(value_bytes, header.value_bytes);
SNAPMAP_ATTRIBUTE(stamp, header.stamp);
SNAPMAP_ATTRIBUTE(limit_bytes, limit);
SNAPMAP_ATTRIBUTE(resident_bytes, resident_bytes);
SNAPMAP_ATTRIBUTE(used_blocks, used_blocks);
SNAPMAP_ATTRIBUTE(free_blocks, free_blocks);
SNAPMAP_ATTRIBUTE(retired_blocks, retired_blocks);
SNAPMAP_ATTRIBUTE(pinned_blocks, pinned_blocks);
SNAPMAP_ATTRIBUTE(pins, pins);
SNAPMAP_ATTRIBUTE(history, history);
SNAPMAP_ATTRIBUTE(oldest_kept, oldest_kept);
SNAPMAP_ATTRIBUTE(revoked, revoked);
SNAPMAP_ATTRIBUTE(lease_ms, lease_ms);
SNAPMAP_ATTRIBUTE(expired, expired);
SNAPMAP_ATTRIBUTE(commits, commits);
SNAPMAP_ATTRIBUTE(conflicts, conflicts);
SNAPMAP_ATTRIBUTE(failures, failures);
SNAPMAP_ATTRIBUTE(blocks_copied, blocks_copied);

static ssize_t huge_bytes_show(struct device *dev, struct device_attribute *attr, char *to)
{
	return sysfs_emit(to, "%llu\n", READ_ONCE(snapmap_map_of(dev)->huge_bytes));
}
static DEVICE_ATTR_RO(huge_bytes);

static struct attribute *snapmap_attrs[] = {
	&dev_attr_version.attr,
	&dev_attr_entries.attr,
	&dev_attr_key_bytes.attr,
	&dev_attr_value_bytes.attr,
	&dev_attr_stamp.attr,
	&dev_attr_limit_bytes.attr,
	&dev_attr_resident_bytes.attr,
	&dev_attr_huge_bytes.attr,
	&dev_attr_used_blocks.attr,
	&dev_attr_free_blocks.attr,
	&dev_attr_retired_blocks.attr,
	&dev_attr_pinned_blocks.attr,
	&dev_attr_pins.attr,
	&dev_attr_history.attr,
	&dev_attr_oldest_kept.attr,
	&dev_attr_revoked.attr,
	&dev_attr_lease_ms.attr,
	&dev_attr_expired.attr,
	&dev_attr_commits.attr,
	&dev_attr_conflicts.attr,
	&dev_attr_failures.attr,
	&dev_attr_blocks_copied.attr,
	NULL
};

static const struct attribute_group snapmap_group = {
	.attrs = snapmap_attrs,
};

const struct attribute_group *snapmap_sysfs_groups[] = {
	&snapmap_group,
	NULL
};
