"""The canvas, sprites and camera that toy scenes are drawn with."""

import numpy as np

from weakpan.toy_city.canvas import SUPERSAMPLING, Camera, Canvas, Sprite

RED, WHITE = np.array([200.0, 0, 0]), np.full(3, 255.0)


def _rectangle(top, left, height, width, color=RED):
    image = np.broadcast_to(color.astype(np.uint8), (height, width, 3)).copy()
    return Sprite(top, left, image, np.ones((height, width), np.uint8))


def test_a_label_lies_exactly_where_the_colour_is():
    canvas = Canvas(12, 16)
    number = canvas.new_segment(26, is_instance=True)
    canvas.paint(_rectangle(4, 6, 4, 6), (number,), 5.0)
    colors, segments, depth = canvas.downsample()
    expected = np.zeros((6, 8), bool)
    expected[2:4, 3:6] = True
    np.testing.assert_array_equal(segments == number, expected)
    np.testing.assert_array_equal(colors[..., 0] == 200, expected)
    np.testing.assert_array_equal(depth == 5, expected)


def test_a_block_goes_to_the_segment_with_most_pixels_and_ties_to_the_front():
    canvas = Canvas(4, 4)
    back, front = canvas.new_segment(7), canvas.new_segment(17)
    canvas.paint(_rectangle(0, 0, 4, 4), (back,), 9.0)
    canvas.paint(_rectangle(0, 1, 4, 1), (front,), 5.0)  # half of the left blocks
    canvas.paint(_rectangle(0, 3, 1, 1), (front,), 5.0)  # a quarter of the upper right block
    _, segments, _ = canvas.downsample()
    np.testing.assert_array_equal(segments, [[front, back], [front, back]])


def test_a_sprite_beyond_the_border_is_clipped():
    canvas = Canvas(8, 8)
    number = canvas.new_segment(24, is_instance=True)
    canvas.paint(_rectangle(-3, -2, 5, 5), (number,), 5.0)
    canvas.paint(_rectangle(20, 20, 5, 5), (number,), 5.0)
    expected = np.zeros((8, 8), bool)
    expected[:2, :3] = True
    np.testing.assert_array_equal(canvas.segments == number, expected)


def test_a_shadow_falls_on_the_ground_only():
    canvas = Canvas(8, 8)
    road, car = canvas.new_segment(7), canvas.new_segment(26, is_instance=True)
    canvas.paint(_rectangle(0, 0, 8, 8, WHITE), (road,), 9.0)
    canvas.paint(_rectangle(2, 2, 2, 2, WHITE), (car,), 5.0)
    canvas.shade(np.array([(0.0, 0.0), (8, 0), (8, 8), (0, 8)]), (7,), 0.5)
    np.testing.assert_array_equal(canvas.image[..., 0] == 255, canvas.segments == car)


def test_a_sprite_keeps_parts_apart_and_part_0_only_colours():
    sprite = Sprite.blank(10, 10, 20, 20)
    sprite.polygon([(10, 10), (20, 10), (20, 20), (10, 20)], RED, part=1)
    sprite.ellipse((15, 15), (3, 3), WHITE, part=2)
    sprite.polygon([(10, 10), (12, 10), (12, 20), (10, 20)], WHITE, part=0)
    assert sprite.parts[15 - sprite.top, 15 - sprite.left] == 2
    edge = sprite.parts[15 - sprite.top, 11 - sprite.left], sprite.image[15 - sprite.top, 11 - sprite.left, 1]
    assert edge == (1, 255)


def test_the_camera_puts_the_ground_below_the_horizon_and_shrinks_with_depth():
    camera = Camera(focal=500, center_x=300, horizon=120, height=2.0, bend=0.001)
    points = np.array([(0.0, 0.0, 10.0), (0.0, 2.0, 10.0), (1.0, 0.0, 20.0)])
    expected = [(300 + 500 * 0.1 / 10, 120 + 100), (300 + 500 * 0.1 / 10, 120), (300 + 500 * 1.4 / 20, 120 + 50)]
    np.testing.assert_allclose(camera.project(points), expected)
    assert camera.scale(10) == 2 * camera.scale(20)
    assert SUPERSAMPLING == 2
