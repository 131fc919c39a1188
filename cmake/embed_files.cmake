# The script behind weft_embed: writes OUTPUT, a C++ file with the bytes of FILES and a hash of each.
set(arrays "")
set(rows "")
set(number 0)
foreach(file IN LISTS FILES)
  get_filename_component(name ${file} NAME)
  file(READ ${file} bytes HEX)
  file(SHA256 ${file} hash)
  string(SUBSTRING ${hash} 0 16 hash)
  string(REGEX REPLACE "(..)" "0x\\1," bytes "${bytes}")
  string(REGEX REPLACE "(................................................................................)" "\\1\n" bytes "${bytes}")
  string(APPEND arrays "constexpr unsigned char kFile${number}[] = {\n${bytes}};\n")
  string(APPEND rows "    {\"${name}\", \"\\\"${hash}\\\"\", {reinterpret_cast<const char*>(kFile${number}), sizeof kFile${number}}},\n")
  math(EXPR number "${number} + 1")
endforeach()
file(WRITE ${OUTPUT} "// Made by cmake/embed_files.cmake.
#include \"controller/page.hpp\"

namespace weft::controller {
namespace {
${arrays}
const WebFile kFiles[] = {
${rows}};
} // namespace

std::span<const WebFile> web_files() {
    return kFiles;
}
} // namespace weft::controller
")
