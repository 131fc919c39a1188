find_package(Threads REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(fmt REQUIRED)
find_package(Boost 1.81 REQUIRED COMPONENTS json)
find_package(PkgConfig REQUIRED)
pkg_check_modules(xxhash REQUIRED IMPORTED_TARGET libxxhash)
pkg_check_modules(systemd REQUIRED IMPORTED_TARGET libsystemd)
pkg_check_modules(tins REQUIRED IMPORTED_TARGET libtins)
pkg_check_modules(ldns REQUIRED IMPORTED_TARGET ldns)
pkg_check_modules(libvirt REQUIRED IMPORTED_TARGET libvirt)
pkg_check_modules(pugixml REQUIRED IMPORTED_TARGET pugixml)
pkg_check_modules(tomlplusplus REQUIRED IMPORTED_TARGET tomlplusplus)
pkg_check_modules(prometheus REQUIRED IMPORTED_TARGET prometheus-cpp-core) # its CMake package wants civetweb and curl too
pkg_check_modules(libarchive REQUIRED IMPORTED_TARGET libarchive)
find_package(CLI11 REQUIRED)

# Asio compiled once (base/asio.cpp) instead of in every file that includes it.
add_library(weft_asio INTERFACE)
target_compile_definitions(weft_asio INTERFACE BOOST_ASIO_SEPARATE_COMPILATION BOOST_ASIO_NO_DEPRECATED BOOST_ASIO_DISABLE_BOOST_COROUTINE)
target_link_libraries(weft_asio INTERFACE Boost::headers OpenSSL::SSL OpenSSL::Crypto Threads::Threads)

# libopenvswitch: pkg-config where the system has it, else built once from Debian's source package.
pkg_check_modules(openvswitch QUIET IMPORTED_TARGET libopenvswitch)
add_library(weft_openvswitch INTERFACE)
if(openvswitch_FOUND)
  target_link_libraries(weft_openvswitch INTERFACE PkgConfig::openvswitch)
else()
  execute_process(COMMAND ${CMAKE_SOURCE_DIR}/scripts/libopenvswitch
                  OUTPUT_VARIABLE OPENVSWITCH_PREFIX OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
  target_include_directories(weft_openvswitch SYSTEM INTERFACE ${OPENVSWITCH_PREFIX}/include)
  target_link_libraries(weft_openvswitch INTERFACE ${OPENVSWITCH_PREFIX}/lib/libopenvswitch.a Threads::Threads m atomic)
endif()
