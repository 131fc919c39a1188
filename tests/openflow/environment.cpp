#include "openflow/codec.hpp"

#include <gtest/gtest.h>

namespace weft::openflow {
namespace {

struct Codec final : testing::Environment {
    void SetUp() override { initialize_codec(); }
};
const auto* const kCodec = testing::AddGlobalTestEnvironment(new Codec);

} // namespace
} // namespace weft::openflow
